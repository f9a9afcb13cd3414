//! `sync/event.rs`: one word that counts, odd while the event is set.

use crate::models::{
    kernel::{Life, MOST, Sleepers, die},
    search::{Model, STUCK, Steps, fails, holds},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// A waiter sleeps without counting itself.
    Uncounted,
    /// `set` wakes one.
    WakesOne,
    /// Who is woken asks whether it is set *now*.
    AsksAgain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    Set,
    Clear,
    Wait,
}

struct Event {
    scripts: &'static [&'static [Call]],
    kills: u8,
    /// Whether a waiter's time may run out.
    timeouts: bool,
    /// Whether waiters look again after some time.
    looks: bool,
    mutant: Mutant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    /// Between two calls.
    #[default]
    Between,
    /// `set`: whether anyone waits.
    Ask,
    Wake,
    Count,
    Check,
    Sleep,
    Asleep,
    Uncount,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    state: u8,
    waiting: u8,
    sleepers: Sleepers,
    kills: u8,
    lives: [Life; MOST],
    at: [At; MOST],
    /// How far each is in its script.
    calls: [u8; MOST],
    seen: [u8; MOST],
}

impl Event {
    fn call(&self, state: &State, process: usize) -> Option<Call> {
        self.scripts[process].get(usize::from(state.calls[process])).copied()
    }

    /// Whether a waiter may go on.
    fn is_over(&self, state: &State, process: usize) -> bool {
        match self.mutant {
            Mutant::AsksAgain => state.state % 2 == 1,
            _ => state.state != state.seen[process],
        }
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let Some(call) = self.call(state, process) else { return };
        let mut then = state.clone();
        let mut will = |at: At, what, mut then: State| {
            then.at[process] = at;
            then.calls[process] += u8::from(at == At::Between);
            steps.will(process, what, then);
        };
        match (state.at[process], call) {
            (At::Between, Call::Wait) => {
                then.seen[process] = state.state;
                let at = match (state.state % 2, self.mutant) {
                    (1, _) => At::Between,
                    (_, Mutant::Uncounted) => At::Check,
                    _ => At::Count,
                };
                will(at, "begins to wait", then);
            }
            (At::Between, call) => {
                let changes = (call == Call::Set) == state.state.is_multiple_of(2);
                then.state += u8::from(changes);
                let at = if changes && call == Call::Set { At::Ask } else { At::Between };
                will(at, if call == Call::Set { "sets" } else { "clears" }, then);
            }
            (At::Ask, _) => will(if state.waiting > 0 { At::Wake } else { At::Between }, "asks who waits", then),
            (At::Wake, _) => {
                then.sleepers.wake(if self.mutant == Mutant::WakesOne { 1 } else { MOST });
                will(At::Between, "wakes", then);
            }
            (At::Count, _) => {
                then.waiting += 1;
                will(At::Check, "counts itself", then);
            }
            (At::Check, _) => {
                will(if self.is_over(state, process) { At::Uncount } else { At::Sleep }, "looks", then);
            }
            (At::Sleep, _) if state.state == state.seen[process] => {
                then.sleepers.sleep(process);
                will(At::Asleep, "falls asleep", then);
            }
            (At::Sleep, _) => will(At::Check, "does not sleep", then),
            (At::Asleep, _) if !state.sleepers.has(process) => will(At::Check, "wakes up", then),
            (At::Asleep, _) => {
                then.sleepers.leave(process);
                if self.timeouts {
                    let mut late = then.clone();
                    late.at[process] = At::Uncount;
                    steps.may(process, "waits no longer", late);
                }
                then.at[process] = At::Check;
                if self.looks {
                    steps.will(process, "wakes up to look", then);
                } else {
                    steps.may(process, "is disturbed", then);
                }
            }
            (At::Uncount, _) => {
                then.waiting -= u8::from(self.mutant != Mutant::Uncounted);
                will(At::Between, "returns", then);
            }
        }
    }
}

impl Model for Event {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.scripts.len() {
            let mut then = state.clone();
            if let Some(what) = die(&mut then.lives[process], process, &mut [], &mut then.sleepers) {
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && self.call(state, process).is_some() {
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, _: &State) -> Option<&'static str> {
        None
    }

    /// Whoever lives has returned, or waits for an event that has not been set since it came.
    fn is_settled(&self, state: &State) -> bool {
        (0..self.scripts.len()).all(|process| match state.lives[process] {
            Life::Alive => {
                let waits = state.at[process] == At::Asleep
                    && state.sleepers.has(process)
                    && state.seen[process] == state.state;
                self.call(state, process).is_none() || waits
            }
            life => life == Life::Dead,
        })
    }
}

use Call::{Clear, Set, Wait};

const RIGHT: Event = Event { scripts: &[], kills: 0, timeouts: false, looks: true, mutant: Mutant::None };

#[test]
fn a_waiter_returns_whoever_is_killed() {
    holds("event, 1 sets, 2 wait, 2 kills", &Event { scripts: &[&[Set], &[Wait], &[Wait]], kills: 2, ..RIGHT });
    let again: &[&[Call]] = &[&[Set, Clear, Set], &[Wait, Wait], &[Wait]];
    holds("event, set and clear, 2 kills, timeouts", &Event { scripts: again, kills: 2, timeouts: true, ..RIGHT });
    let two: &[&[Call]] = &[&[Set, Clear], &[Set], &[Wait], &[Wait]];
    holds("event, 2 set, 2 wait, 2 kills", &Event { scripts: two, kills: 2, ..RIGHT });
}

#[test]
fn nobody_has_to_look_while_nobody_dies() {
    let scripts: &[&[Call]] = &[&[Set, Clear], &[Wait, Wait], &[Wait], &[Set]];
    holds("event, no kills, no looks", &Event { scripts, looks: false, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let one = Event { scripts: &[&[Set], &[Wait], &[Wait]], ..RIGHT };
    let trace = fails("event, killed before it wakes, no looks", &Event { kills: 1, looks: false, ..one }, STUCK);
    println!("{trace:?}");
    fails("event, uncounted", &Event { looks: false, mutant: Mutant::Uncounted, ..one }, STUCK);
    fails("event, wakes one", &Event { looks: false, mutant: Mutant::WakesOne, ..one }, STUCK);
    let pair = Event { scripts: &[&[Set, Clear], &[Wait], &[Wait]], ..RIGHT };
    fails("event, asks again", &Event { mutant: Mutant::AsksAgain, ..pair }, STUCK);
}
