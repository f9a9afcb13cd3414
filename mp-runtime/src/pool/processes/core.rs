//! A pool as it stands: its workers, what they have, what waits. All of it under one lock.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
    thread::{Thread, ThreadId},
    time::{Duration, Instant},
};

use super::{
    config::Config,
    desk::Desk,
    stats::{Longest, WorkerStats},
    stderr::LastWords,
    trace::Span,
};
use crate::{
    Process,
    error::Error,
    pool::{TargetName, Work, order::Order, watch::Watcher},
};

/// What has not been given to a worker.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) work: Work,
    /// The worker that had it last; another one is to try it, if there is one.
    pub(super) avoid: Option<u64>,
}

/// A worker, from its start to its end.
#[derive(Debug)]
pub(super) struct Worker {
    /// No two of a pool have the same, ever.
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) process: Arc<Process<()>>,
    pub(super) desk: Desk,
    pub(super) words: Arc<LastWords>,
    pub(super) started: Instant,
    pub(super) ready: Option<Instant>,
    /// When the task ran whose answer comes next, if the pool writes a trace.
    pub(super) span: Option<Span>,
    /// Why it could not be made ready.
    pub(super) unready: Option<String>,
    /// How many tasks it was given, and has done.
    pub(super) given: u64,
    pub(super) done: u64,
    pub(super) busy: Duration,
    /// When its memory was last looked at.
    pub(super) weighed: Instant,
    pub(super) ending: Option<Ending>,
}

/// A worker is being ended.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) why: Why,
    /// When it gets SIGTERM; `None`: it has.
    pub(super) term_at: Option<Instant>,
    /// When it gets SIGKILL.
    pub(super) kill_at: Instant,
    pub(super) is_killed: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Why {
    /// Its task ran longer than that.
    TimedOut(Duration),
    /// Nobody wants its task any more.
    Cancelled,
    /// The pool ends, or has given up.
    Over,
}

/// Whether a pool takes tasks.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Open,
    /// What is there is done, and nothing more comes.
    Closed,
    Terminated,
    /// It has given up.
    Broken(Error),
}

/// One place for a worker.
#[derive(Debug)]
pub(super) enum Slot {
    Taken(Box<Worker>),
    /// To be filled at that time.
    Empty(Instant),
    /// Somebody is starting a worker for it.
    Starting,
    /// The pool ends.
    Over,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    pub(super) phase: Phase,
    pub(super) slots: Vec<Slot>,
    pub(super) pending: VecDeque<Pending>,
    /// How many items those are, and how many bytes.
    pub(super) pending_items: usize,
    pub(super) pending_bytes: usize,
    /// What is to be tried again, and when.
    pub(super) later: Vec<(Instant, Pending)>,
    pub(super) targets: Targets,
    /// The thread that looks after the pool while it waits.
    pub(super) driver: Option<ThreadId>,
    /// A thread that has just looked after it, and is likely to come back, has until then.
    pub(super) lease: Option<Instant>,
    /// Threads that wait while another one looks after the pool.
    pub(super) waiters: Vec<Arc<Watcher>>,
    /// Threads that wait for room.
    pub(super) no_room: Vec<Thread>,
    /// When the pool's own thread will look at it again by itself.
    pub(super) looks_again: Option<Instant>,
    /// When workers died, lately.
    pub(super) deaths: VecDeque<Instant>,
    /// How many workers in a row were not made ready, and when the last one was not.
    pub(super) failed_starts: (u32, Option<Instant>),
    /// Whoever builds the pool waits for all workers.
    pub(super) is_starting: bool,
    pub(super) next_id: u64,
    /// What workers have done that are no more, by their places.
    pub(super) past: Vec<WorkerStats>,
    pub(super) longest: Longest,
    /// Its thread has ended: nothing happens any more.
    pub(super) is_over: bool,
}

/// Targets have numbers in a pool, and it is known how long their tasks take.
#[derive(Debug, Default)]
pub(super) struct Targets {
    numbers: HashMap<TargetName, u32>,
    paces: Vec<Duration>,
    latest: Option<(TargetName, u32)>,
}

impl Targets {
    /// The number of a target.
    pub(super) fn number(&mut self, name: &TargetName) -> u32 {
        if let Some((latest, number)) = &self.latest
            && latest == name
        {
            return *number;
        }
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = self.paces.len() as u32;
                self.paces.push(Duration::ZERO);
                self.numbers.insert(name.clone(), number);
                number
            }
        };
        self.latest = Some((name.clone(), number));
        number
    }

    /// How long a task of it takes; zero as long as that is not known.
    #[inline]
    pub(super) fn pace(&self, number: u32) -> Duration {
        self.paces.get(number as usize).copied().unwrap_or_default()
    }

    /// So many of its tasks took so long.
    pub(super) fn learn(&mut self, number: u32, time: Duration, tasks: u32) {
        if let Some(pace) = self.paces.get_mut(number as usize) {
            let now = time / tasks.max(1);
            *pace = if pace.is_zero() { now } else { (*pace * 3 + now) / 4 }.max(Duration::from_nanos(1));
        }
    }
}

impl Core {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let workers = config.workers;
        let slots = (0..workers).map(|_| Slot::Empty(Instant::now())).collect();
        Self {
            config,
            phase: Phase::Open,
            slots,
            pending: VecDeque::new(),
            pending_items: 0,
            pending_bytes: 0,
            later: Vec::new(),
            targets: Targets::default(),
            driver: None,
            lease: None,
            waiters: Vec::new(),
            no_room: Vec::new(),
            looks_again: None,
            deaths: VecDeque::new(),
            failed_starts: (0, None),
            is_starting: true,
            next_id: 0,
            past: vec![WorkerStats::default(); workers],
            longest: Longest::default(),
            is_over: false,
        }
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.slots.iter().filter_map(Slot::worker)
    }

    pub(super) fn workers_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.slots.iter_mut().filter_map(Slot::worker_mut)
    }

    /// How many tasks workers have.
    pub(super) fn outstanding(&self) -> usize {
        self.workers().map(|worker| worker.desk.count()).sum()
    }

    /// It takes no more tasks.
    pub(super) fn close(&mut self) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Closed;
        }
        self.no_room.drain(..).for_each(|thread| thread.unpark());
    }

    /// Whether nothing is to be done any more.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.later.is_empty() && self.outstanding() == 0
    }

    /// Whether nobody looks after it, nor is about to.
    pub(super) fn is_left_alone(&self) -> bool {
        self.driver.is_none() && self.lease.is_none_or(|until| until <= Instant::now())
    }

    /// Whether as much is pending as may be.
    pub(super) fn is_full(&self) -> bool {
        let (items, bytes) = self.config.max_pending;
        self.pending_items + self.outstanding() >= items || self.pending_bytes >= bytes
    }

    /// How many more tasks may be pending.
    pub(super) fn room(&self) -> usize {
        if self.is_full() { 0 } else { self.config.max_pending.0 - self.pending_items - self.outstanding() }
    }

    pub(super) fn push(&mut self, pending: Pending) {
        self.count_in(&pending);
        self.pending.push_back(pending);
    }

    /// It comes before all others.
    pub(super) fn push_front(&mut self, pending: Pending) {
        self.count_in(&pending);
        self.pending.push_front(pending);
    }

    fn count_in(&mut self, pending: &Pending) {
        self.pending_items += pending.work.len();
        self.pending_bytes += pending.work.bytes();
    }

    /// Some items leave the queue.
    pub(super) fn count_out(&mut self, order: &Order, items: Range<u32>) {
        self.pending_items -= items.len();
        self.pending_bytes -= order.length_of(items);
        if !self.is_full() {
            self.no_room.drain(..).for_each(|thread| thread.unpark());
        }
    }

    /// Takes out what nobody wants any more, to be dropped without the lock.
    pub(super) fn drop_cancelled(&mut self) -> Vec<Pending> {
        let is_unwanted = |pending: &mut Pending| pending.work.is_cancelled();
        let mut out = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            if is_unwanted(&mut pending) {
                out.push(pending);
            } else {
                self.pending.push_back(pending);
            }
        }
        for pending in &out {
            self.count_out(&pending.work.order, pending.work.items.clone());
        }
        out.extend(self.later.extract_if(.., |(_, pending)| is_unwanted(pending)).map(|(_, pending)| pending));
        out
    }

    /// Drops all that is pending; returns it, to be dropped without the lock.
    pub(super) fn drop_pending(&mut self) -> Vec<Pending> {
        (self.pending_items, self.pending_bytes) = (0, 0);
        self.no_room.drain(..).for_each(|thread| thread.unpark());
        let later = self.later.drain(..).map(|(_, pending)| pending);
        self.pending.drain(..).chain(later).collect()
    }
}

impl Slot {
    pub(super) fn worker(&self) -> Option<&Worker> {
        match self {
            Self::Taken(worker) => Some(worker),
            _ => None,
        }
    }

    pub(super) fn worker_mut(&mut self) -> Option<&mut Worker> {
        match self {
            Self::Taken(worker) => Some(worker),
            _ => None,
        }
    }
}
