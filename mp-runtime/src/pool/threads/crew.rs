//! The threads of a pool, and the queue before them: each takes one item at a time, so that none waits behind a long one while a thread is idle.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::queue::{Phase, Queue};
use crate::{
    codec::{Decoder, Encoder, Parcel},
    error::{Error, Result, TaskError, TaskFacts},
    pool::{
        Executor, Rejected, TargetName, Work,
        here::{Ran, Runner},
        options::TaskOptions,
        order::{Drive, Order},
        perform,
        watch::Watcher,
    },
    sys::poll::Deadline,
};

/// What a pool was asked to be.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) workers: usize,
    pub(super) initializer: Option<(TargetName, Parcel)>,
    /// Items and bytes.
    pub(super) max_pending: (usize, usize),
    pub(super) options: Arc<TaskOptions>,
}

/// The pool, for its threads and all who use it.
#[derive(Debug)]
pub(super) struct Crew {
    pub(super) config: Config,
    queue: Mutex<Queue>,
    /// There is work, or there will be none any more.
    work: Condvar,
    /// There is room, or no more work is taken.
    room: Condvar,
    this: Weak<Self>,
}

impl Crew {
    pub(super) fn new(config: Config) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            config,
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            this: Weak::clone(this),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        self.queue().phase
    }

    /// How many items are not settled.
    pub(super) fn held(&self) -> usize {
        self.queue().held.0
    }

    /// Takes over some work.
    fn take_over(&self, work: Work, waits: bool) -> Result<(), Rejected> {
        let driver: Weak<dyn Drive> = Weak::clone(&self.this) as Weak<dyn Drive>;
        work.order.is_driven_by(driver);
        let mut queue = self.queue();
        loop {
            let name = &self.config.name;
            let why = match queue.phase {
                Phase::Open if !queue.is_full(self.config.max_pending) => {
                    let is_one = work.len() == 1;
                    queue.push(work);
                    match queue.idle {
                        0 => {}
                        _ if is_one => self.work.notify_one(),
                        _ => self.work.notify_all(),
                    }
                    return Ok(());
                }
                Phase::Open if waits => {
                    queue.crowd += 1;
                    queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.crowd -= 1;
                    continue;
                }
                Phase::Open => return Err(Rejected::Full(work)),
                Phase::Closed => format!("thread pool '{name}' is closed: it takes no more tasks"),
                Phase::Terminated => format!("thread pool '{name}' was terminated: it takes no more tasks"),
            };
            return Err(Rejected::Closed(work, Error::invalid(why)));
        }
    }

    /// Takes no more work from now on; with `drops`, what no thread has begun is cancelled.
    pub(super) fn end(&self, phase: Phase, drops: bool) {
        let mut queue = self.queue();
        if queue.phase != Phase::Terminated {
            queue.phase = phase;
        }
        let dropped = if drops { queue.take_out(|_| true) } else { Vec::new() };
        drop(queue);
        self.work.notify_all();
        self.room.notify_all();
        drop(dropped);
    }

    /// There is more room, or less to be done.
    fn tell(&self, queue: MutexGuard<'_, Queue>) {
        let (is_crowded, is_over) = (queue.crowd > 0, queue.idle > 0 && queue.is_over());
        drop(queue);
        if is_crowded {
            self.room.notify_all();
        }
        if is_over {
            self.work.notify_all();
        }
    }

    /// What a thread does: to be called after it was [made ready](Self::make_ready).
    pub(super) fn serve(&self, name: &str) {
        let mut runner = Runner::new(name);
        while let Some(mut one) = self.next() {
            let ran = match one.options().timeout {
                None => runner.run(&one),
                Some(_) => {
                    let why = "a thread cannot be stopped, so its tasks have no timeout; leave it out, or use a `Pool`";
                    let facts = TaskFacts::new(one.order.facts(one.items.start, 0));
                    Ran::Done(Err(TaskError::Refused(facts, Error::unsupported(why))))
                }
            };
            match ran {
                Ran::Again(pause) => drop(self.put_off(one, pause)),
                Ran::Done(result) => {
                    // Before the task is seen to be done: who waits for it may then count on the room.
                    let mut queue = self.queue();
                    queue.release(&one);
                    self.tell(queue);
                    runner.settle(&mut one, result);
                }
            }
        }
    }

    /// The next item; `None`: there will be none any more.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            queue.fetch_due();
            let dropped = queue.take_cancelled();
            if !dropped.is_empty() {
                self.tell(queue);
                drop(dropped);
                queue = self.queue();
                continue;
            }
            if let Some(one) = queue.pop() {
                return Some(one);
            }
            if queue.is_over() {
                return None;
            }
            queue.idle += 1;
            queue = match queue.next_due() {
                None => self.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => self.work.wait_timeout(queue, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
            queue.idle -= 1;
        }
    }

    /// An item is to be tried again after that. Returns it, if it is not: to be dropped without the lock.
    fn put_off(&self, one: Work, pause: Duration) -> Option<Work> {
        let mut queue = self.queue();
        if queue.phase == Phase::Terminated || one.is_cancelled() {
            queue.release(&one);
            self.tell(queue);
            return Some(one);
        }
        queue.running -= 1;
        let now = Instant::now();
        match now.checked_add(pause) {
            Some(at) => queue.later.push((at, one)),
            None => queue.later.push((now + Duration::from_secs(1 << 30), one)),
        }
        if queue.idle > 0 {
            // This thread may have something else to do by then.
            self.work.notify_all();
        }
        None
    }

    /// Runs the initializer.
    pub(super) fn make_ready(&self) -> Result<()> {
        let Some((target, arguments)) = &self.config.initializer else { return Ok(()) };
        let message = arguments.message(0)?;
        let (mut decoder, mut encoder) = (Decoder::new(&message), Encoder::spilling_from(usize::MAX));
        let why = match perform::run(&perform::find(target), &mut (), &mut decoder, &mut encoder, Default::default) {
            // Of its result nothing is looked at, not even whether it encodes.
            Ok(()) | Err(TaskError::Undecodable(..)) => return Ok(()),
            Err(TaskError::Panicked(_, panic)) => format!("it panicked at {panic}"),
            Err(TaskError::Refused(_, error)) => error.to_string(),
            Err(error) => match error.facts().exit_code() {
                Some(code) => format!("it returned exit code {code}"),
                None => error.to_string(),
            },
        };
        Err(Error::refused(format!("the initializer {}: {why}", target.name())))
    }
}

impl Executor for Crew {
    type State = ();

    fn execute(&self, work: Work) -> Result<(), Rejected> {
        self.take_over(work, false)
    }

    fn execute_when_there_is_room(&self, work: Work) -> Result<(), Rejected> {
        self.take_over(work, true)
    }

    fn width(&self) -> usize {
        self.config.workers
    }

    fn options(&self) -> Arc<TaskOptions> {
        Arc::clone(&self.config.options)
    }
}

impl Drive for Crew {
    /// The threads need nobody.
    fn drive(&self, watcher: &Arc<Watcher>, deadline: Deadline) {
        watcher.park(deadline);
    }

    fn cancel(&self, order: &Arc<Order>) {
        let mut queue = self.queue();
        let dropped = queue.take_out(|work| Arc::ptr_eq(&work.order, order));
        self.tell(queue);
        drop(dropped);
    }
}
