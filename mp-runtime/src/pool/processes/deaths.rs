//! What becomes of a worker's tasks when it ends, and of the pool.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    collect::{Finds, failed},
    core::{Core, Ending, Pending, Phase, Slot, Why, Worker},
};
use crate::{
    JoinError,
    error::{Error, ExitStatus, FactsOfTask, Result, TaskError, TaskFacts},
    sys::clock_gettime,
};

/// So many workers in a row may fail to get ready.
const FAILED_STARTS: u32 = 8;
/// So many if it is by SIGKILL that they end: somebody may be killing at random.
const KILLED_STARTS: u32 = 64;
/// How long it is waited after the first of those; after each further one twice as long.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Core {
    /// Buries the workers that have ended. Returns whether there were any.
    pub(super) fn bury(&mut self) -> bool {
        let mut some = false;
        for index in 0..self.slots.len() {
            let ended = self.slots.get(index).and_then(Slot::worker).and_then(|worker| worker.process.try_join());
            // A wait that the system refuses says nothing about the worker.
            if let Some(how) = ended.filter(|how| !matches!(how, Err(JoinError::Wait(..)))) {
                some = true;
                self.bury_one(index, how);
            }
        }
        some
    }

    fn bury_one(&mut self, index: usize, how: Result<(), JoinError>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Slot::Taken(mut worker) = std::mem::replace(slot, Slot::Over) else { return };
        let now = Instant::now();
        // What it has answered it has answered.
        let mut finds = Finds { targets: &mut self.targets, later: &mut self.later, longest: &mut self.longest };
        worker.collect(now, &mut finds, self.config.trace.as_ref());
        // Nothing that it started in its group is left.
        worker.process.signal_group(nix::libc::SIGKILL);
        let was_asked = worker.ending.is_some() || (how.is_ok() && worker.desk.is_finishing());
        let error = how.err();
        // One at most, unless it wrote nonsense.
        while worker.desk.begun() > 0 && worker.desk.front().is_some() {
            self.later.extend(worker.blame(error.as_ref()));
        }
        for work in worker.desk.cut(0) {
            self.push_front(Pending { work, avoid: None });
        }
        let failure = (!was_asked).then(|| why(&worker, error.as_ref()));
        if let (Some(trace), Some(failure)) = (&self.config.trace, &failure) {
            trace.death(worker.process.pid(), clock_gettime::monotonic(), &failure.to_string());
        }
        let due = self.refill_at(now, &worker, failure.as_ref());
        let next = match (&self.phase, failure) {
            (Phase::Terminated | Phase::Broken(_), _) => Slot::Over,
            (Phase::Closed, _) if self.is_idle() => Slot::Over,
            (_, Some(error)) if due.is_none() => {
                self.give_up(&error);
                Slot::Over
            }
            _ => Slot::Empty(due.unwrap_or(now)),
        };
        if let Some(past) = self.past.get_mut(index) {
            worker.add_to(past);
            (past.name, past.pid, past.restarts) = (String::new(), None, past.restarts + 1);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = next;
        }
    }

    /// When the place of a worker that has ended is to be filled; `None`: enough have ended like this.
    fn refill_at(&mut self, now: Instant, worker: &Worker, failure: Option<&Error>) -> Option<Instant> {
        if failure.is_none() {
            return Some(now);
        }
        if let Some((most, within)) = self.config.restart_limit {
            self.deaths.push_back(now);
            while self.deaths.front().is_some_and(|death| now.saturating_duration_since(*death) > within) {
                self.deaths.pop_front();
            }
            if self.deaths.len() > most {
                return None;
            }
        }
        if worker.ready.is_some() { Some(now) } else { self.start_again_at(now, worker.was_killed()) }
    }

    /// When to try again, after a worker did not get ready; `None`: enough have not.
    fn start_again_at(&mut self, now: Instant, was_killed: bool) -> Option<Instant> {
        let last = self.failed_starts.1.replace(now);
        if self.workers().any(|worker| worker.ready > last) {
            self.failed_starts.0 = 0;
        }
        self.failed_starts.0 += 1;
        let failed = self.failed_starts.0;
        let most = if was_killed { KILLED_STARTS } else { FAILED_STARTS };
        if self.is_starting || failed >= most {
            return None;
        }
        Some(now + PAUSE.saturating_mul(2_u32.saturating_pow(failed - 1)).min(LONGEST_PAUSE))
    }

    /// A worker could not even be started.
    pub(super) fn start_failed(&mut self, index: usize, error: &Error) {
        let again = self.start_again_at(Instant::now(), false);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = again.map_or(Slot::Over, Slot::Empty);
        }
        if again.is_none() {
            self.give_up(error);
        }
    }

    /// The pool is broken: nothing is begun any more, and everybody learns why.
    pub(super) fn give_up(&mut self, cause: &Error) {
        let limit = match self.config.restart_limit {
            Some((most, within)) => format!(" (restart limit: {most} within {within:?})"),
            None => String::new(),
        };
        let error = cause.clone().context(format!("pool '{}' has given up{limit}", self.config.name));
        if !matches!(self.phase, Phase::Terminated) {
            self.phase = Phase::Broken(error.clone());
        }
        self.abandon(|facts| TaskError::Broken(facts, error.clone()));
    }

    /// Ends all that there is: what is pending is settled with that error, what runs is stopped.
    pub(super) fn abandon(&mut self, error: impl Fn(TaskFacts) -> TaskError) {
        let mut pending = self.drop_pending();
        let grace = self.config.grace;
        for slot in &mut self.slots {
            match slot {
                Slot::Taken(worker) => {
                    pending.extend(worker.take_back().into_iter().map(|work| Pending { work, avoid: None }));
                    worker.end(Why::Over, grace);
                }
                Slot::Empty(_) => *slot = Slot::Over,
                Slot::Starting | Slot::Over => {}
            }
        }
        for Pending { mut work, .. } in pending {
            let order = Arc::clone(&work.order);
            work.fail(|item| error(TaskFacts::new(order.facts(item, order.attempt(item) - 1))));
        }
    }
}

impl Worker {
    /// The task that it had begun when it died, if there is one, is settled, or to be tried again.
    fn blame(&mut self, error: Option<&JoinError>) -> Option<(Instant, Pending)> {
        let (order, item) = self.desk.front().map(|piece| (Arc::clone(&piece.order), piece.items.start))?;
        self.desk.answer(1);
        let facts = FactsOfTask {
            worker: Some((self.name.clone(), self.process.pid())),
            status: self.process.exit_status(),
            stderr: self.words.last(),
            ..order.facts(item, order.attempt(item))
        };
        let again = failed(&order, item, task_error(TaskFacts::new(facts), error, self.ending.as_ref()), Some(self.id));
        if again.is_none() {
            order.close(1);
        }
        again
    }

    /// SIGTERM to its whole group, and SIGKILL when the grace time is over.
    pub(super) fn end(&mut self, why: Why, grace: Duration) {
        // One that was to be ended soon might be spared.
        if self.ending.as_ref().is_none_or(|ending| ending.term_at.is_some()) {
            self.ending = Some(Ending { why, term_at: None, kill_at: Instant::now() + grace, is_killed: false });
            self.terminate();
        }
    }

    /// The same for one whose task nobody wants any more, if that is not done within a moment.
    pub(super) fn end_soon(&mut self, moment: Duration, grace: Duration) {
        if self.ending.is_none() {
            let term_at = Instant::now() + moment;
            let kill_at = term_at + grace;
            self.ending = Some(Ending { why: Why::Cancelled, term_at: Some(term_at), kill_at, is_killed: false });
        }
    }

    fn terminate(&self) {
        self.process.terminate().ok();
        self.process.signal_group(nix::libc::SIGTERM);
    }

    /// It need not end: it is done with what it was to be ended for.
    pub(super) fn spare(&mut self) {
        if self.ending.as_ref().is_some_and(|ending| ending.term_at.is_some()) && !self.runs() {
            self.ending = None;
        }
    }

    fn was_killed(&self) -> bool {
        self.process.exit_status().and_then(ExitStatus::signal) == Some(nix::libc::SIGKILL)
    }

    /// SIGTERM or SIGKILL, if it is time for it.
    pub(super) fn kill_if_due(&mut self, now: Instant) {
        if let Some(ending) = &mut self.ending
            && ending.term_at.is_some_and(|term_at| term_at <= now)
        {
            ending.term_at = None;
            self.terminate();
        }
        if let Some(ending) = &mut self.ending
            && !ending.is_killed
            && ending.kill_at <= now
        {
            ending.is_killed = true;
            self.process.signal_group(nix::libc::SIGKILL);
            self.process.kill().ok();
        }
    }
}

/// What a worker's end was for the task that it had begun.
fn task_error(facts: TaskFacts, error: Option<&JoinError>, ending: Option<&Ending>) -> TaskError {
    match ending.map(|ending| &ending.why) {
        Some(Why::TimedOut(most)) => return TaskError::TimedOut(facts, *most),
        Some(Why::Cancelled | Why::Over) => return TaskError::Cancelled(facts),
        None => {}
    }
    match error {
        Some(JoinError::Panicked(_, panic)) => TaskError::Panicked(facts, panic.clone()),
        Some(JoinError::Aborted(_)) => TaskError::Aborted(facts),
        Some(JoinError::StackOverflow(_)) => TaskError::StackOverflow(facts),
        Some(JoinError::OutOfMemory(_)) => TaskError::OutOfMemory(facts),
        Some(JoinError::Killed(_)) => TaskError::Killed(facts),
        Some(JoinError::Lost(_) | JoinError::Wait(..)) => TaskError::Lost(facts),
        Some(JoinError::Refused(_, error) | JoinError::Undecodable(_, error)) => {
            TaskError::Refused(facts, error.clone())
        }
        Some(JoinError::Exited(_) | JoinError::Taken(_)) | None => TaskError::Exited(facts),
    }
}

/// Why a worker ended that was not asked to.
fn why(worker: &Worker, error: Option<&JoinError>) -> Error {
    let said = worker.words.last();
    let words = match said.trim_end() {
        "" => String::new(),
        said => format!("; its last words: {said}"),
    };
    match (&worker.unready, error) {
        (Some(text), _) => Error::refused(format!("worker '{}' could not be made ready: {text}", worker.name)),
        (None, Some(error)) => Error::refused(format!("{error}{words}")),
        (None, None) => Error::refused(format!("worker '{}' ended before it was asked to{words}", worker.name)),
    }
}
