//! Who looks after a pool: a thread that waits for a result does so itself, so that the result comes to it without another switch; while none
//! waits, the pool's own thread does. `README.md` has the argument why no result is missed on the way from one to the other.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use super::{
    bell::{Bell, Mode},
    config::Config,
    core::{Core, Pending, Phase, Slot, Why, Worker},
    stderr::Listener,
};
use crate::{
    error::{Error, Result},
    pool::{
        Rejected, TaskOptions, Work,
        order::{Drive, Order},
        watch::Watcher,
    },
    sys::{eventfd, poll::Deadline},
};

/// How soon it is looked again while tasks are short, or somebody idle could take over something.
const SOON: Duration = Duration::from_millis(1);

/// A pool, for all who use it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) bell: Arc<Bell>,
    /// The file that the bell is in.
    pub(super) memory: OwnedFd,
    pub(super) listener: Listener,
    core: Mutex<Core>,
    /// A worker is ready, the pool is broken, or its thread has ended.
    pub(super) changed: Condvar,
    this: Weak<Self>,
}

impl Shared {
    pub(super) fn new(config: Config) -> Result<Arc<Self>> {
        let (bell, memory) = Bell::new()?;
        let listener = Listener::start()?;
        let config = Arc::new(config);
        Ok(Arc::new_cyclic(|this| Self {
            core: Mutex::new(Core::new(Arc::clone(&config))),
            config,
            bell: Arc::new(bell),
            memory,
            listener,
            changed: Condvar::new(),
            this: Weak::clone(this),
        }))
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the pool's own thread look at the pool.
    pub(super) fn poke(&self) {
        eventfd::tell(self.bell.event());
    }

    /// Takes over some work, if there is room.
    pub(super) fn execute(&self, work: Work) -> Result<(), Rejected> {
        self.accept(work, false).map(|core| self.leave(core))
    }

    /// The same when there is room.
    pub(super) fn execute_when_there_is_room(&self, work: Work) -> Result<(), Rejected> {
        self.accept(work, true).map(|core| self.leave(core))
    }

    /// The same with a lot of it, by one who will take the results.
    pub(super) fn execute_many(&self, works: &mut VecDeque<Work>) -> Result<(), Rejected> {
        let mut core = self.core();
        while let Some(mut work) = works.pop_front() {
            let room = if matches!(core.phase, Phase::Open) { core.room() } else { 0 };
            // One that there is no room for is waited with, or rejected.
            let piece = work.split_off(room.max(1));
            if !work.is_empty() {
                works.push_front(work);
            }
            if room == 0 {
                drop(core);
                core = self.accept(piece, true)?;
            } else {
                piece.order.is_driven_by(self.driver());
                core.push(Pending { work: piece, avoid: None });
            }
        }
        // With all that it has to give it may not come to wait for a while.
        core.pass();
        self.leave_for_a_moment(core);
        Ok(())
    }

    pub(super) fn width(&self) -> usize {
        self.config.workers
    }

    pub(super) fn options(&self) -> Arc<TaskOptions> {
        Arc::clone(&self.config.options)
    }

    fn driver(&self) -> Weak<dyn Drive> {
        Weak::clone(&self.this) as Weak<dyn Drive>
    }

    fn accept(&self, work: Work, waits: bool) -> Result<MutexGuard<'_, Core>, Rejected> {
        work.order.is_driven_by(self.driver());
        loop {
            let mut core = self.core();
            match &core.phase {
                Phase::Open => {}
                phase => {
                    let error = phase.refusal(&self.config.name);
                    return Err(Rejected::Closed(work, error));
                }
            }
            if !core.is_full() {
                core.push(Pending { work, avoid: None });
                core.dispatch();
                return Ok(core);
            }
            if !waits {
                return Err(Rejected::Full(work));
            }
            // What one who has a lot of it has put there before; then the pool's own thread makes room, if nobody else does.
            core.dispatch();
            let this = thread::current();
            core.no_room.retain(|thread| thread.id() != this.id());
            core.no_room.push(this);
            core.lease = None;
            self.leave(core);
            thread::park_timeout(SOON * 100);
        }
    }

    /// Before the lock is released by one who does not stay: somebody must be told of what comes.
    pub(super) fn leave(&self, mut core: MutexGuard<'_, Core>) {
        let core = &mut *core;
        self.look_in_time(core);
        if matches!(core.phase, Phase::Closed) && core.is_idle() {
            // That was the last task: its own thread has the workers end.
            self.poke();
        }
        if core.driver.is_some() || core.is_over {
            return;
        }
        if let Some(waiter) = core.waiters.pop() {
            waiter.take_over();
            return;
        }
        if !core.is_left_alone() {
            // Who has the lease may not come back.
            return self.look_when_the_lease_ends(core);
        }
        self.bell.set_mode(Mode::Polling);
        let again = core.arm().map(|again| Instant::now() + again);
        let is_sooner = again.is_some_and(|again| core.looks_again.is_none_or(|at| again < at));
        if is_sooner {
            core.looks_again = again;
        }
        if is_sooner || core.is_due() {
            self.poke();
        }
    }

    /// The same by a thread that has got what it waited for, and is likely to be back soon with more: the pool's own thread looks after it only if
    /// that does not come.
    fn leave_for_a_moment(&self, mut core: MutexGuard<'_, Core>) {
        self.look_in_time(&mut core);
        if !core.waiters.is_empty() || core.is_idle() {
            return self.leave(core);
        }
        core.lease = Some(Instant::now() + SOON);
        self.look_when_the_lease_ends(&mut core);
    }

    /// The pool's own thread may have looked, and found a driver, since the lease was given.
    fn look_when_the_lease_ends(&self, core: &mut Core) {
        if let Some(until) = core.lease
            && core.looks_again.is_none_or(|at| until + SOON < at)
        {
            core.looks_again = Some(until);
            self.poke();
        }
    }

    /// Its own thread must wake up for the next thing that has a time.
    fn look_in_time(&self, core: &mut Core) {
        if let Some(due) = core.next_due()
            && core.looks_again.is_none_or(|at| due + SOON < at)
        {
            core.looks_again = Some(due);
            self.poke();
        }
    }
}

impl Core {
    /// One look at everything.
    pub(super) fn pass(&mut self) {
        self.collect();
        self.dispatch();
    }

    /// Asks the workers to tell when there is something to be done, and says when to look even if they do not.
    pub(super) fn arm(&mut self) -> Option<Duration> {
        let mut is_soon = self.is_uneven();
        for worker in self.slots.iter_mut().filter_map(|slot| slot.worker_mut()) {
            let count = worker.desk.count();
            if count == 0 && worker.ready.is_some() {
                continue;
            }
            let pace = worker.desk.front().map_or(Duration::ZERO, |piece| self.targets.pace(piece.number));
            let time = pace.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            if count > 4 && !pace.is_zero() && time < SOON * 2 {
                // Half of it: then there is time to bring more.
                worker.desk.want(u32::try_from(count / 2).unwrap_or(1));
                is_soon = true;
            } else {
                worker.desk.want(1);
            }
        }
        is_soon.then_some(SOON)
    }
}

impl Phase {
    /// Why a pool in this state takes no tasks.
    pub(super) fn refusal(&self, name: &str) -> Error {
        match self {
            Self::Open => Error::invalid(format!("pool '{name}' is open")),
            Self::Closed => Error::invalid(format!("pool '{name}' is closed: it takes no more tasks")),
            Self::Terminated => Error::invalid(format!("pool '{name}' was terminated: it takes no more tasks")),
            Self::Broken(error) => error.clone(),
        }
    }
}

impl Drive for Shared {
    fn drive(&self, watcher: &Arc<Watcher>, deadline: Deadline) {
        let mut core = self.core();
        // What there was to be given out has been; and few results at a time are not worth a look.
        let mut is_late = false;
        core.lease = None;
        while !watcher.is_told() && !deadline.is_over() && !core.is_over {
            if core.driver.is_some() {
                core.waiters.push(Arc::clone(watcher));
                drop(core);
                watcher.park(deadline);
                core = self.core();
                core.waiters.retain(|waiter| !Arc::ptr_eq(waiter, watcher));
                continue;
            }
            if is_late || core.is_due() {
                core.pass();
                is_late = false;
                if watcher.is_told() {
                    break;
                }
            }
            self.bell.set_mode(Mode::Waiting);
            let rung = self.bell.rung();
            watcher.sleeps_on(Some(&self.bell));
            let again = core.arm();
            // What was there before the workers knew that they are to tell is seen now.
            if core.is_due() || watcher.is_told() {
                watcher.sleeps_on(None);
                continue;
            }
            core.driver = Some(thread::current().id());
            self.look_in_time(&mut core);
            drop(core);
            let most = match (again, deadline.rest()) {
                (Some(again), Some(rest)) => Some(again.min(rest)),
                (again, rest) => again.or(rest),
            };
            let began = Instant::now();
            self.bell.wait(rung, most);
            is_late = again.is_some_and(|again| began.elapsed() >= again);
            watcher.sleeps_on(None);
            core = self.core();
            core.driver = None;
        }
        if watcher.is_told() {
            self.leave_for_a_moment(core);
        } else {
            self.leave(core);
        }
    }

    fn cancel(&self, order: &Arc<Order>) {
        let mut core = self.core();
        let grace = self.config.grace;
        let has_it = |worker: &Worker| worker.desk.pieces().any(|piece| Arc::ptr_eq(&piece.order, order));
        let mut back = Vec::new();
        for worker in core.workers_mut().filter(|worker| has_it(worker)) {
            back.extend(worker.take_back());
        }
        for work in back {
            core.push_front(Pending { work, avoid: None });
        }
        // What has been answered by now has been answered; and nothing is begun behind what runs.
        core.collect();
        let Core { slots, targets, .. } = &mut *core;
        let workers = slots.iter_mut().filter_map(Slot::worker_mut);
        for worker in workers.filter(|worker| worker.runs() && has_it(worker)) {
            let pace = worker.desk.front().map_or(Duration::ZERO, |piece| targets.pace(piece.number));
            // One of many short ones will be done before a signal could reach it.
            if pace.is_zero() || pace > SOON {
                worker.end(Why::Cancelled, grace)
            } else {
                worker.end_soon(SOON * 2, grace)
            }
        }
        let dropped = core.drop_cancelled();
        self.leave(core);
        self.poke();
        drop(dropped);
    }
}
