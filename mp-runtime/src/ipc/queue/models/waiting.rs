//! `bell.rs` and `end.rs`: how one side waits for the other. Both sides run the same steps here, as they do there.

use super::world::{At, GETS, Goal, Hammer, PUTS, Raise, State, Why};
use crate::models::{
    kernel::Life,
    search::{Model, Steps},
};

/// What is left out, or put in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mutant {
    None,
    /// The token is put after the change.
    TellsLate,
    /// Nothing is written into `list_op_pending`.
    NoPending,
    /// It is asked who sleeps before the change.
    AsksEarly,
    /// A waiter says that it sleeps after it has looked.
    SaysLate,
    /// The tokens are taken away before the hammer is raised.
    DrainsFirst,
    /// The hammer is raised without the lock of the other side.
    Unlocked,
    /// The hammer is raised without another look.
    Blind,
    /// There is no turn: all wait at once.
    NoTurn,
    /// When the other side is gone, nobody looks what it has left.
    NoLast,
    /// Nobody minds the watchers.
    NoMind,
    /// Who minds the watchers does not look again with the lock.
    BlindMind,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// How much each of those puts who put.
    pub(super) puts: &'static [u8],
    pub(super) getters: usize,
    /// Those who wait for the descriptor in a way of their own.
    pub(super) watchers: usize,
    /// The most items; zero: no bound.
    pub(super) bound: u8,
    pub(super) kills: u8,
    /// Whether the end of the short sleep is relied on.
    pub(super) short: bool,
    /// Whether nothing happens between a waiter's look and its sleep.
    pub(super) at_once: bool,
    /// Whether those who wait for their turn look meanwhile.
    pub(super) looks: bool,
    /// Whether handles are given back.
    pub(super) ends: bool,
    /// Whether the hammer says that somebody is about to move it. (It did not.)
    pub(super) says_moving: bool,
    /// Whether a descriptor that is ready, with nothing there, is wrong for good.
    pub(super) quiet: bool,
    pub(super) mutant: Mutant,
}

/// What a step leads to.
pub(super) type Step = Option<(At, &'static str)>;

impl Queue {
    pub(super) fn count(&self) -> usize {
        self.puts.len() + self.getters + self.watchers
    }

    pub(super) fn side(&self, process: usize) -> usize {
        if process < self.puts.len() { PUTS } else { GETS }
    }

    pub(super) fn watches(&self, process: usize) -> bool {
        process >= self.puts.len() + self.getters
    }

    pub(super) fn is_over(&self, state: &State, side: usize) -> bool {
        (0..self.count()).filter(|other| self.side(*other) != side).all(|other| state.closed[other])
    }

    /// Whether what that side waits for is there, by places that need not be of the same moment.
    pub(super) fn is_there(&self, side: usize, put: u8, got: u8) -> bool {
        match (side, self.bound) {
            (GETS, _) => put != got,
            (_, 0) => true,
            // Numbers go round: more got than put is very much.
            (_, bound) => put.wrapping_sub(got) < bound,
        }
    }

    pub(super) fn is_there_now(&self, state: &State, side: usize) -> bool {
        self.is_there(side, state.places[PUTS], state.places[GETS])
    }

    /// Those who get from a queue without a bound ring for nobody.
    pub(super) fn rings(&self, side: usize) -> bool {
        side == PUTS || self.bound > 0
    }

    fn is_idle(&self, state: &State, process: usize) -> bool {
        let is_first = matches!(state.at[process], At::Begin | At::Out);
        is_first && self.side(process) == PUTS
    }

    fn begin(&self, process: usize, state: &mut State) -> Step {
        let own = Goal::Own(Why::First);
        match self.puts.get(process) {
            Some(most) if state.calls[process] < *most => Some((At::Lock(own), "wants to put")),
            Some(_) if self.ends => Some((At::Close, "gives its handle back")),
            Some(_) => None,
            None if self.watches(process) && state.watched => Some((At::Poll, "wants to watch, as another does")),
            None if self.watches(process) => {
                state.watched = true;
                Some((At::Lock(Goal::Other(Raise::Watch)), "wants to watch"))
            }
            None => Some((At::Lock(own), "wants to get")),
        }
    }

    fn lock(&self, process: usize, goal: Goal, then: &mut State) -> Step {
        let side = self.side(process);
        let (lock, at) = match goal {
            Goal::Own(why) => (side, At::Look(why)),
            Goal::Other(raise) => (1 - side, At::LookOther(raise)),
        };
        if matches!(goal, Goal::Other(Raise::Sleep)) && self.mutant == Mutant::Unlocked {
            return Some((at, "does not lock"));
        }
        if then.locks[lock].take(process)? {
            then.locks[lock].release();
            return Some((At::MendPuts(goal), "locks, and somebody had died"));
        }
        Some((at, "locks"))
    }

    fn mend(at: At, process: usize, then: &mut State) -> Step {
        match at {
            At::MendPuts(goal) => then.locks[PUTS].take(process).map(|_| (At::MendGets(goal), "locks those who put")),
            At::MendGets(goal) => then.locks[GETS].take(process).map(|_| (At::Mark(goal), "locks those who get")),
            At::Mark(goal) => {
                then.locks[PUTS].mark_consistent();
                Some((At::MarkGets(goal), "marks one lock"))
            }
            At::MarkGets(goal) => {
                then.locks[GETS].mark_consistent();
                then.locks.iter_mut().for_each(|lock| lock.release());
                Some((At::Lock(goal), "marks the other, and unlocks both"))
            }
            _ => None,
        }
    }

    /// `End::wait`, after the first attempt.
    fn wait(&self, process: usize, then: &mut State) -> Step {
        let side = self.side(process);
        let late = self.mutant == Mutant::SaysLate;
        let step = match then.at[process] {
            At::Turn => {
                then.turns[side].take(process)?;
                then.turns[side].mark_consistent();
                (if late { At::SeePut } else { At::SayAsleep }, "has the turn")
            }
            At::SayAsleep => {
                then.awake[1 - side] = false;
                (if late { At::Sleep } else { At::SeePut }, "says that it sleeps")
            }
            At::SeePut if self.at_once && !self.is_there_now(then, side) && !then.awake[1 - side] => {
                then.sleepers[1 - side].sleep(process);
                (At::Asleep, "finds nothing, and falls asleep")
            }
            At::SeePut => {
                then.loaded[process] = then.places[PUTS];
                (At::SeeGot, "looks how many were put")
            }
            At::SeeGot if self.is_there(side, then.loaded[process], then.places[GETS]) => (At::Rise, "finds something"),
            At::SeeGot => (if late { At::SayAsleep } else { At::Sleep }, "finds nothing"),
            At::Sleep if then.awake[1 - side] => (At::Rise, "does not sleep"),
            At::Sleep => {
                then.sleepers[1 - side].sleep(process);
                (At::Asleep, "falls asleep")
            }
            At::Asleep if then.sleepers[1 - side].has(process) => return None,
            At::Asleep | At::Rise => {
                then.awake[1 - side] = true;
                (At::Lock(Goal::Own(Why::InTurn)), "says that it is awake")
            }
            At::Over(why) => match (self.is_over(then, side), why, side) {
                (false, Why::Watch, _) => (At::Poll, "finds somebody on the other side"),
                (false, ..) => (At::Lock(Goal::Other(Raise::Sleep)), "finds somebody on the other side"),
                (true, _, PUTS) => (At::GiveTurn(true), "finds nobody on the other side"),
                (true, ..) if self.mutant == Mutant::NoLast => {
                    self.be_over(process, then);
                    (At::GiveTurn(true), "finds nobody on the other side")
                }
                (true, Why::Watch, _) => (At::Lock(Goal::Own(Why::WatchLast)), "finds nobody on the other side"),
                (true, ..) => (At::Lock(Goal::Own(Why::Last)), "finds nobody on the other side"),
            },
            At::Poll if !then.tokens[1 - side] && !self.is_over(then, side) => return None,
            At::Poll if self.watches(process) => (At::Lock(Goal::Own(Why::Watch)), "finds the descriptor ready"),
            At::Poll => (if late { At::SeePut } else { At::SayAsleep }, "finds the descriptor ready"),
            At::GiveTurn(over) => {
                if self.mutant != Mutant::NoTurn {
                    then.turns[side].release();
                }
                if over {
                    self.be_over(process, then);
                }
                (if over { At::Close } else { At::Begin }, "gives up its turn")
            }
            At::Close => {
                then.closed[process] = true;
                (At::CloseAsk, "closes its descriptors")
            }
            At::CloseAsk if then.awake[side] => (At::Out, "ends, and nobody sleeps"),
            At::CloseAsk => (At::CloseAwake, "ends, and somebody may sleep"),
            At::CloseAwake => {
                then.awake[side] = true;
                (At::CloseWake, "says that he is awake")
            }
            At::CloseWake => {
                then.sleepers[side].wake(1);
                (At::Out, "wakes one")
            }
            _ => return None,
        };
        Some(step)
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let at = state.at[process];
        let side = self.side(process);
        if at == At::Asleep && state.sleepers[1 - side].has(process) {
            then.sleepers[1 - side].leave(process);
            then.at[process] = At::Rise;
            if self.short {
                steps.will(process, "has slept for long", then);
            } else {
                steps.may(process, "has slept for long", then);
            }
            return;
        }
        if at == At::Turn && self.looks {
            let mut looks = state.clone();
            looks.at[process] = At::Lock(Goal::Own(Why::Look));
            steps.may(process, "looks before its turn", looks);
        }
        let step = match at {
            At::Begin => self.begin(process, &mut then),
            At::Lock(goal) => self.lock(process, goal, &mut then),
            _ => Self::mend(at, process, &mut then)
                .or_else(|| self.attempt(at, process, &mut then))
                .or_else(|| self.wake(at, process, &mut then))
                .or_else(|| self.mind(at, process, &mut then))
                .or_else(|| self.raise(at, process, &mut then))
                .or_else(|| self.wait(process, &mut then)),
        };
        let Some((next, what)) = step else { return };
        then.at[process] = next;
        if self.is_idle(state, process) {
            steps.may(process, what, then);
        } else {
            steps.will(process, what, then);
        }
    }

    /// Whether a living process has nothing to do, or waits where there is nothing for it.
    fn is_content(&self, state: &State, process: usize) -> bool {
        let side = self.side(process);
        let nothing = !self.is_there_now(state, side);
        let asleep = state.sleepers[1 - side].has(process);
        let over = self.is_over(state, side);
        // Who sleeps for a moment does not see the end of the other side.
        let waits = |other: usize| state.at[other] == At::Asleep && state.sleepers[1 - side].has(other);
        let excused = !self.short && (0..self.count()).any(|other| self.side(other) == side && waits(other));
        match state.at[process] {
            At::Out => true,
            At::Begin => side == PUTS,
            At::Asleep => asleep && nothing && (!over || excused),
            At::Turn => nothing && !state.turns[side].is_free() && (!over || excused),
            At::Poll => nothing && !over && !(self.quiet && state.tokens[1 - side]),
            _ => false,
        }
    }
}

impl Model for Queue {
    type State = State;

    fn start(&self) -> State {
        let mut state = State { kills: self.kills, ..State::default() };
        // There is room, and that is told.
        (state.tokens[GETS], state.hammers[GETS]) = (true, Hammer::Fallen);
        state
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.count() {
            let mut then = state.clone();
            if let Some(what) = then.die(process, self.side(process)) {
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && state.at[process] != At::Out {
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        state.wrong.or_else(|| state.item_wrong(self.puts.len()))
    }

    fn is_settled(&self, state: &State) -> bool {
        (0..self.count()).all(|process| match state.lives[process] {
            Life::Alive => self.is_content(state, process),
            life => life == Life::Dead,
        })
    }
}
