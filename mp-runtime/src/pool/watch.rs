//! Who is to be told that something was settled: threads, tasks of an async runtime, callbacks.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::Waker,
    thread::{self, Thread},
};

use super::processes::Bell;
use crate::sys::{poll::Deadline, signal};

/// A thread that waits, for as many orders as it likes.
#[derive(Debug)]
pub(super) struct Watcher {
    told: AtomicBool,
    /// It is to look after the pool that it waits for.
    takes_over: AtomicBool,
    /// What it was told of, by the numbers that it gave.
    news: Mutex<Vec<u64>>,
    sleeps: Mutex<Sleeps>,
}

/// How it is woken.
#[derive(Debug)]
struct Sleeps {
    /// The one that slept last: an iterator may have gone from one thread to another.
    thread: Thread,
    /// What it sleeps on, if that is not the thread's own.
    on: Option<Arc<Bell>>,
}

impl Watcher {
    /// For the calling thread.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            told: AtomicBool::new(false),
            takes_over: AtomicBool::new(false),
            news: Mutex::default(),
            sleeps: Mutex::new(Sleeps { thread: thread::current(), on: None }),
        })
    }

    /// Wakes it, if it is asleep.
    pub(super) fn tell(&self) {
        if !self.told.swap(true, Ordering::SeqCst) {
            let sleeps = self.sleeps();
            sleeps.thread.unpark();
            if let Some(bell) = &sleeps.on {
                bell.ring();
            }
        }
    }

    /// Says what it sleeps on from now on. It must look whether it was told after that.
    pub(super) fn sleeps_on(&self, bell: Option<&Arc<Bell>>) {
        self.sleeps().on = bell.cloned();
    }

    fn sleeps(&self) -> MutexGuard<'_, Sleeps> {
        self.sleeps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes it to look after the pool itself.
    pub(super) fn take_over(&self) {
        self.takes_over.store(true, Ordering::Release);
        self.sleeps().thread.unpark();
    }

    /// The same, of what it gave this number.
    fn tell_of(&self, number: u64) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        self.tell();
    }

    /// What it was told of since it was last asked; some of it maybe more than once.
    pub(super) fn news(&self, into: &mut Vec<u64>) {
        into.clear();
        mem::swap(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner), into);
    }

    /// Whether it has been told since it was last asked.
    pub(super) fn was_told(&self) -> bool {
        self.told.swap(false, Ordering::AcqRel)
    }

    /// Whether it has been told. It stays so.
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Sleeps until it is told, or is to take over, or until the deadline.
    pub(super) fn park(&self, deadline: Deadline) {
        // Who tells after this wakes this thread; who has told before it is seen below.
        self.sleeps().thread = thread::current();
        while !self.is_told() && !self.takes_over.swap(false, Ordering::AcqRel) && !deadline.is_over() {
            match deadline.rest() {
                None => thread::park(),
                Some(rest) => thread::park_timeout(rest),
            }
        }
    }
}

/// Those who watch one order.
#[derive(Default)]
pub(super) struct Watch {
    watched: AtomicBool,
    all: Mutex<Vec<Watching>>,
}

enum Watching {
    /// Told of every step.
    Thread(Arc<Watcher>, u64),
    /// Told at the end.
    Task(Waker),
    /// Called at the end.
    Call(Callback),
}

pub(super) type Callback = Box<dyn FnOnce() + Send>;

impl Watch {
    /// Has it told of whatever happens from now on, as news of that number.
    pub(super) fn by_thread(&self, watcher: &Arc<Watcher>, number: u64) {
        self.add(Watching::Thread(Arc::clone(watcher), number));
    }

    /// Has it woken at the end; one waker at a time.
    pub(super) fn by_task(&self, waker: &Waker) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|watching| !matches!(watching, Watching::Task(_)));
        all.push(Watching::Task(waker.clone()));
        self.watched.store(true, Ordering::SeqCst);
    }

    /// Has it called at the end.
    pub(super) fn by_callback(&self, callback: Callback) {
        self.add(Watching::Call(callback));
    }

    fn add(&self, watching: Watching) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(watching);
        self.watched.store(true, Ordering::SeqCst);
    }

    /// The thread does not watch any more.
    pub(super) fn without(&self, watcher: &Arc<Watcher>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|watching| !matches!(watching, Watching::Thread(other, _) if Arc::ptr_eq(other, watcher)));
    }

    /// Tells those who want to know.
    pub(super) fn tell(&self, is_end: bool) {
        // Who watches looks at what is settled after that was set; who settles looks here after that is counted.
        if !self.watched.load(Ordering::SeqCst) {
            return;
        }
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = Vec::new();
        for watching in mem::take(&mut *all) {
            match watching {
                Watching::Thread(watcher, number) => {
                    watcher.tell_of(number);
                    all.push(Watching::Thread(watcher, number));
                }
                other if is_end => others.push(other),
                other => all.push(other),
            }
        }
        drop(all);
        others.into_iter().for_each(later);
    }
}

/// What is not ours may take long, panic, or come back here: it has a thread of its own.
fn later(watching: Watching) {
    let function: Callback = match watching {
        Watching::Thread(watcher, number) => return watcher.tell_of(number),
        // A waker is made to be called from anywhere; but some run the task at once, and that may want a lock that is held here.
        Watching::Task(waker) => Box::new(move || waker.wake()),
        Watching::Call(callback) => callback,
    };
    static CALLS: Mutex<Option<mpsc::Sender<Callback>>> = Mutex::new(None);
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let unsent = match &*calls {
        Some(sender) => match sender.send(function) {
            Ok(()) => return,
            Err(mpsc::SendError(function)) => function,
        },
        None => function,
    };
    match start() {
        Some(sender) => {
            sender.send(unsent).ok();
            *calls = Some(sender);
        }
        // No thread is to be had: then here.
        None => {
            drop(calls);
            call(unsent);
        }
    }
}

fn start() -> Option<mpsc::Sender<Callback>> {
    let (sender, receiver) = mpsc::channel();
    // The program's signal handlers are not to run on a thread that it does not know.
    let _blocked = signal::block_all().ok()?;
    let run = move || receiver.into_iter().for_each(call);
    thread::Builder::new().name("mp-callbacks".to_owned()).spawn(run).ok()?;
    Some(sender)
}

fn call(function: Callback) {
    // The panic hook has reported it.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(function)) {
        // Its destructor may panic too.
        mem::forget(payload);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched).finish_non_exhaustive()
    }
}
