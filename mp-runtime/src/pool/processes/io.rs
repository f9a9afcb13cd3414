//! The pool's own thread: it buries workers, starts others, keeps times, and looks after the pool while nobody waits.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    bell::Mode,
    collect::Finds,
    core::{Core, Pending, Phase, Slot, Why, Worker},
    drive::Shared,
    start,
};
use crate::{
    error::{Error, Result},
    process::at_exit,
    sys::{
        clock_gettime, eventfd,
        poll::{self, Deadline},
        signal,
    },
};

/// How often it is looked how much memory busy workers have.
const WEIGHED: Duration = Duration::from_millis(50);

/// This process is at its normal end: workers that end now are not replaced.
static EXITING: AtomicBool = AtomicBool::new(false);

/// Starts the thread.
pub(super) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>> {
    static REGISTERED: Mutex<bool> = Mutex::new(false);
    let mut registered = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*registered {
        at_exit(|| EXITING.store(true, Ordering::Release))?;
        *registered = true;
    }
    let doing = |error| Error::os("start a pool's thread", error);
    let of_thread = Arc::clone(shared);
    // The program's signal handlers are not to run on a thread that it does not know.
    let _blocked = signal::block_all().map_err(doing)?;
    thread::Builder::new().name("mp-pool".to_owned()).spawn(move || run(&of_thread)).map_err(doing)
}

fn run(shared: &Shared) {
    /// Whatever happens to this thread, nobody waits for ever.
    struct AtTheEnd<'a>(&'a Shared);
    impl Drop for AtTheEnd<'_> {
        fn drop(&mut self) {
            let mut core = self.0.core();
            if thread::panicking() {
                core.give_up(&Error::protocol("the pool's own thread has panicked"));
            }
            core.slots.clear();
            core.is_over = true;
            let pending = core.drop_pending();
            core.waiters.drain(..).for_each(|waiter| waiter.take_over());
            drop(core);
            drop(pending);
            self.0.bell.ring();
            self.0.listener.stop();
            if let Some(trace) = &self.0.config.trace {
                trace.finish();
            }
            self.0.changed.notify_all();
        }
    }
    let _at_the_end = AtTheEnd(shared);
    while look(shared) {}
}

/// One look, and the sleep after it. Returns whether there is more to come.
fn look(shared: &Shared) -> bool {
    eventfd::forget(shared.bell.event());
    let mut core = shared.core();
    core.bury();
    core.keep_times(Instant::now());
    let is_left_alone = core.is_left_alone();
    if is_left_alone {
        core.pass();
        shared.bell.set_mode(Mode::Polling);
    } else {
        core.dispatch();
    }
    core.finish_if_closed();
    shared.changed.notify_all();
    if core.slots.iter().all(|slot| matches!(slot, Slot::Over)) {
        return false;
    }
    if let Some((index, id)) = core.next_start(Instant::now()) {
        drop(core);
        start_one(shared, index, id);
        return true;
    }
    let again = if is_left_alone {
        let again = core.arm();
        if core.is_due() {
            return true;
        }
        again.map(|again| Instant::now() + again)
    } else {
        core.lease.filter(|_| core.driver.is_none())
    };
    let due = [again, core.next_due()].into_iter().flatten().min();
    core.looks_again = due;
    let processes: Vec<_> = core.workers().map(|worker| Arc::clone(&worker.process)).collect();
    drop(core);
    let mut fds: Vec<BorrowedFd<'_>> = vec![shared.bell.event().as_fd()];
    fds.extend(processes.iter().map(|process| process.as_fd()));
    let deadline = due.map_or(Deadline::NEVER, |due| Deadline::after(due.saturating_duration_since(Instant::now())));
    if poll::any_readable(&fds, deadline).is_err() {
        // More descriptors than RLIMIT_NOFILE, lowered since, lets poll look at; or no memory.
        thread::sleep(Duration::from_millis(100));
    }
    true
}

fn start_one(shared: &Shared, index: usize, id: u64) {
    let started = start::start(&shared.config, id, &shared.bell, &shared.memory, &shared.listener);
    let mut core = shared.core();
    match started {
        Ok(worker) => {
            let is_over = matches!(core.phase, Phase::Terminated | Phase::Broken(_));
            let grace = core.config.grace;
            if let Some(slot) = core.slots.get_mut(index) {
                *slot = Slot::Taken(Box::new(worker));
                if let Some(worker) = slot.worker_mut().filter(|_| is_over) {
                    worker.end(Why::Over, grace);
                }
            }
        }
        Err(error) => core.start_failed(index, &error),
    }
    drop(core);
    // It may have said that it is ready before anybody could see it among the others.
    shared.bell.ring();
}

impl Core {
    /// The place to be filled next.
    fn next_start(&mut self, now: Instant) -> Option<(usize, u64)> {
        if EXITING.load(Ordering::Acquire) {
            return None;
        }
        let index = self.slots.iter().position(|slot| matches!(slot, Slot::Empty(due) if *due <= now))?;
        self.next_id += 1;
        *self.slots.get_mut(index)? = Slot::Starting;
        Some((index, self.next_id))
    }

    /// A closed pool's workers end when there is nothing to do.
    fn finish_if_closed(&mut self) {
        if !matches!(self.phase, Phase::Closed) || !self.is_idle() {
            return;
        }
        for slot in &mut self.slots {
            match slot {
                Slot::Taken(worker) => worker.desk.finish(),
                Slot::Empty(_) => *slot = Slot::Over,
                Slot::Starting | Slot::Over => {}
            }
        }
    }

    /// Does what it is time for.
    fn keep_times(&mut self, now: Instant) {
        let due: Vec<_> = self.later.extract_if(.., |(due, _)| *due <= now).collect();
        for (_, pending) in due {
            self.push(pending);
        }
        let grace = self.config.grace;
        let late: Vec<_> = self.workers().filter(|worker| worker.is_late()).map(|worker| worker.id).collect();
        for id in late {
            self.stop_late(id, now, grace);
        }
        self.weigh(now);
        if self.workers().any(|worker| worker.ending.as_ref().is_some_and(|ending| ending.term_at.is_some())) {
            self.collect();
            self.workers_mut().for_each(Worker::spare);
        }
        for worker in self.workers_mut() {
            worker.kill_if_due(now);
        }
    }

    /// Ends a worker whose task takes too long, if it still does when nothing can follow it.
    fn stop_late(&mut self, id: u64, now: Instant, grace: Duration) {
        let mut finds = Finds { targets: &mut self.targets, later: &mut self.later, longest: &mut self.longest };
        let trace = self.config.trace.as_ref();
        let Some(worker) = self.slots.iter_mut().filter_map(Slot::worker_mut).find(|worker| worker.id == id) else {
            return;
        };
        let back = worker.take_back();
        worker.collect(now, &mut finds, trace);
        if worker.runs() && worker.is_late() {
            let most = worker.desk.front().and_then(|piece| piece.order.options.timeout).unwrap_or_default();
            worker.end(Why::TimedOut(most), grace);
        }
        for work in back {
            self.push_front(Pending { work, avoid: None });
        }
    }

    /// Replaces workers that have grown too large, when they are done with their tasks.
    fn weigh(&mut self, now: Instant) {
        let Some(most) = self.config.max_rss else { return };
        let mut back = Vec::new();
        for worker in self.workers_mut().filter(|worker| worker.takes_tasks() && now >= worker.weighed + WEIGHED) {
            worker.weighed = now;
            if resident(worker.process.pid()).is_some_and(|bytes| bytes > most) {
                back.extend(worker.take_back());
                worker.desk.finish();
            }
        }
        for work in back {
            self.push_front(Pending { work, avoid: None });
        }
    }

    /// When something has to be done even if nothing happens.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let starts = self.slots.iter().filter_map(|slot| match slot {
            Slot::Empty(due) => Some(*due),
            _ => None,
        });
        let weighs = self.config.max_rss.is_some();
        let workers = self.workers().filter_map(|worker| {
            let ending = worker.ending.as_ref().filter(|ending| !ending.is_killed);
            let killed = ending.map(|ending| ending.term_at.unwrap_or(ending.kill_at));
            let weighed = (weighs && worker.desk.count() > 0).then(|| worker.weighed + WEIGHED);
            [killed, weighed, worker.late_at()].into_iter().flatten().min()
        });
        let later = self.later.iter().map(|(due, _)| *due);
        starts.chain(workers).chain(later).min()
    }
}

impl Worker {
    /// How long the task that it runs may yet take, if there is a limit.
    fn time_left(&self) -> Option<Duration> {
        if self.ending.is_some() {
            return None;
        }
        let most = self.desk.front()?.order.options.timeout?;
        match self.desk.mailbox.since().load(Ordering::SeqCst) {
            // It is about to begin.
            0 => Some(most.max(Duration::from_millis(1))),
            since => Some(most.saturating_sub(Duration::from_nanos(clock_gettime::monotonic().saturating_sub(since)))),
        }
    }

    fn is_late(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }

    /// When the task that it runs will have taken too long.
    fn late_at(&self) -> Option<Instant> {
        Instant::now().checked_add(self.time_left()?)
    }
}

/// How many bytes of memory a process has.
fn resident(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * crate::sys::getauxval::page_size() as u64)
}
