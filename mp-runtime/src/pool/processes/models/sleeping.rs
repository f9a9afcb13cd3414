//! Who sleeps, who wakes: `drive.rs`, `io.rs`, `bell.rs`, `watch.rs`. What a worker was given is never taken back here, and one result is waited
//! for, never half of them. What a thread does under the lock of the core is one step as long as it is the parent's alone.

use super::world::{At, Desk, Does, Lease, OTHER, OWN, Slot, State, THREADS, Thread, USERS, WORKERS, Worker};
use crate::models::search::{Model, Steps};

/// What is left out, or put in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mutant {
    None,
    /// The driver sleeps without another look after `WANT`.
    DrivesBlindly,
    /// The same of the pool's own thread.
    PollsBlindly,
    /// Who leaves does not look after `WANT`.
    LeavesBlindly,
    /// A worker that has nothing to do does not look at `WANT`.
    RestsSilently,
    /// Who leaves while there is a lease leaves it at that.
    LeavesToTheLease,
    /// The same, but one who waits takes over.
    ForgetsTheLease,
    /// A lease is given though somebody waits.
    LeaseBeforeWaiters,
    /// Nobody who waits takes over.
    NoWaiter,
    /// The mode is set after the last look.
    ModeLate,
    /// A driver does not set it.
    DrivesInAnyMode,
    /// The same by one who leaves.
    ModeLateLeaving,
    /// The pool's own thread does not set it.
    PollsInAnyMode,
    /// It is asked how often it was rung after the last look.
    RungLate,
    /// A worker sleeps without another look at `STATE`.
    SleepsBlindly,
    /// A worker is woken before it is shown a task.
    WakesEarly,
    /// Who started a worker does not ring.
    StartsSilently,
    /// Nobody rings for a driver whose task another one has settled.
    NotTold,
    /// A driver does not look whether it was told after it has said what it sleeps on.
    ToldInVain,
    /// Who gives out tasks while another one sleeps does not have these told of.
    GivesUntold,
    /// The pool's own thread forgets what it was told after it has looked.
    ForgetsLate,
    /// Who looks in takes results and gives out nothing: so it was with `Pool::stats`.
    TakesOnly,
}

/// Somebody else who comes once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Other {
    Nobody,
    /// `Pool::stats`
    Stats,
    /// `cancel` of a task of the second user, as far as no worker has it.
    Cancels,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pool {
    pub(super) workers: usize,
    /// How many tasks each user has, one after the other.
    pub(super) calls: [u8; USERS],
    /// Whether it waits for them.
    pub(super) waits: [bool; USERS],
    /// Whether it may give up waiting.
    pub(super) gives_up: bool,
    /// Whether it leaves for a moment when it has given out something: `execute_many`.
    pub(super) many: bool,
    /// The most that a worker has.
    pub(super) depth: usize,
    /// Whether workers are there, and ready, from the beginning.
    pub(super) started: bool,
    pub(super) kills: u8,
    pub(super) other: Other,
    /// Whether the end of a lease is relied on.
    pub(super) timers: bool,
    /// Whether a task may run for ever: then who waits for it, or behind it, does so with good reason.
    pub(super) endless: bool,
    pub(super) mutant: Mutant,
}

impl Pool {
    fn thread(&self, state: &State, thread: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let holds = state.lock == Some(thread as u8);
        let at = state.threads[thread].at;
        if self.gives_up && thread < USERS && matches!(at, At::Asleep | At::Parked) {
            let mut gives_up = state.clone();
            self.give_up(&mut gives_up, thread, steps);
        }
        let step = if holds { self.locked(&mut then, thread) } else { self.alone(&mut then, thread) };
        let Some((mut next, what)) = step else { return };
        if then.lock == Some(thread as u8) {
            if next == At::Out {
                next = self.outside(&mut then, thread);
                then.lock = None;
            } else if matches!(next, At::Parked | At::Wait | At::Poll(_) | At::Start(_) | At::Forget) {
                then.lock = None;
            }
        }
        then.threads[thread].at = next;
        let is_timer = at == At::Poll(true) && what == "has slept for its time";
        if at == At::OtherOne || (is_timer && !self.timers) {
            steps.may(thread, what, then);
        } else {
            steps.will(thread, what, then);
        }
    }

    /// Whether all sleep, or run a task, and nobody has missed anything.
    fn is_quiet(&self, state: &State) -> bool {
        let sleeps =
            |thread: &Thread| matches!(thread.at, At::Asleep | At::Parked) && !thread.told && !thread.takes_over;
        let rests = |index: usize| {
            let (desk, worker) = (&state.desks[index], &state.workers[index]);
            let has_room = !state.pending.is_empty() && desk.tasks.len() < self.depth;
            let is_seen = worker.results == desk.answered && worker.ready == desk.ready;
            matches!(worker.does, Does::Asleep | Does::Answer) && is_seen && !has_room && worker.state.1 == desk.tail()
        };
        state.threads[..USERS].iter().all(|thread| thread.at == At::Out || sleeps(thread))
            && matches!(state.threads[OWN].at, At::Poll(_))
            && !state.event
            && (0..self.workers).all(rests)
    }

    /// Its deadline is over: it leaves, and does not come back.
    fn give_up(&self, then: &mut State, thread: usize, steps: &mut Steps<State>) {
        if then.lock.is_some() {
            return;
        }
        then.lock = Some(thread as u8);
        if then.threads[thread].at == At::Asleep {
            then.driver = None;
        }
        then.threads[thread].sleeps_on = false;
        (then.threads[thread].calls, then.threads[thread].told) = (0, true);
        then.waiters.retain(|waiter| usize::from(*waiter) != thread);
        let next = self.leave(then);
        if next == At::Out {
            then.lock = None;
        }
        then.threads[thread].at = next;
        steps.may(thread, "gives up", then.clone());
    }
}

impl Model for Pool {
    type State = State;

    fn start(&self) -> State {
        let own = Thread { at: At::Out, calls: 0, told: false, takes_over: false, sleeps_on: false };
        let mut state = State {
            threads: [own; THREADS],
            workers: [Worker::default(); WORKERS],
            kills: self.kills,
            rung: false,
            waiting: false,
            event: false,
            lock: None,
            driver: None,
            lease: Lease::None,
            waiters: Vec::new(),
            looks_again: false,
            pending: Vec::new(),
            desks: Default::default(),
        };
        for (user, calls) in self.calls.into_iter().enumerate().filter(|(_, calls)| *calls > 0) {
            (state.threads[user].at, state.threads[user].calls) = (At::Submit, calls);
        }
        state.threads[OWN].at = if self.started { At::Poll(false) } else { At::Forget };
        if self.other != Other::Nobody {
            state.threads[OTHER].at = At::OtherOne;
        }
        for index in 0..if self.started { self.workers } else { 0 } {
            state.workers[index] = Worker { does: Does::Asleep, ready: true, asleep: true, ..Worker::default() };
            state.desks[index] = Desk { slot: Slot::Taken, ready: true, ..Desk::default() };
        }
        state
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for thread in 0..THREADS {
            self.thread(state, thread, steps);
        }
        for index in 0..self.workers {
            let mut then = state.clone();
            let runs = state.workers[index].does == Does::Answer;
            if let Some(what) = self.serve(&mut then, index) {
                if runs && self.endless {
                    steps.may(THREADS + index, what, then);
                    continue;
                }
                steps.will(THREADS + index, what, then);
            }
            if state.kills > 0 && state.workers[index].does != Does::Nothing {
                let mut then = state.clone();
                then.workers[index].does = Does::Nothing;
                then.kills -= 1;
                steps.may(THREADS + index, "is killed", then);
            }
        }
        if state.lease == Lease::Given {
            let mut then = state.clone();
            then.lease = Lease::Over;
            if self.timers {
                steps.will(THREADS + WORKERS, "(the clock): the lease is over", then);
            } else {
                steps.may(THREADS + WORKERS, "(the clock): the lease is over", then);
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let sleeping = state.threads.iter().filter(|thread| thread.at == At::Asleep).count();
        (sleeping > 1).then_some("two sleep on the bell")
    }

    fn is_settled(&self, state: &State) -> bool {
        if self.endless {
            return self.is_quiet(state);
        }
        state.is_idle() && state.threads[..USERS].iter().all(|thread| thread.at == At::Out)
    }
}
