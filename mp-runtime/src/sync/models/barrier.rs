//! `sync/barrier.rs`: a generation is filled, acts, and ends; each party sleeps until its generation has ended.

use crate::models::{
    kernel::{Life, Lock, MOST, Sleepers, die},
    search::{Model, STUCK, Steps, fails, holds, holds_wide},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// Who looks for the dead takes the lock only when it has found one. (So it was: see the test.)
    LooksUnlocked,
    /// A stake does not say of which generation it is. (So it was.)
    Untagged,
    /// The last one to come does not ask who has died.
    OpensBlindly,
    /// Who finds that somebody died in the lock goes on.
    GoesOn,
    /// A waiter does not look who has died.
    NeverLooks,
    /// A waiter whose time is over just leaves.
    Leaves,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    Wait,
    Reset,
}

struct Barrier {
    parties: u8,
    scripts: &'static [&'static [Call]],
    kills: u8,
    timeouts: bool,
    mutant: Mutant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Phase {
    #[default]
    Filling,
    Acting,
    Broken,
}

/// What the lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Why {
    Come,
    Finish,
    Look,
    Late,
    Reset,
}

/// What ends a generation, or what an unlock is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Then {
    Passed,
    Broken,
    Reset,
    /// It was found that somebody had died in the lock; and then on with that.
    Recovered(Why),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Between,
    Hold(Why),
    Scan(Why),
    Stake,
    Count,
    Act,
    /// `Hold::end`, its steps.
    End(u8, Then),
    Mark(Why),
    /// Gives the lock back; then acts, sleeps or returns.
    UnlockToAct,
    UnlockToSleep,
    UnlockToReturn,
    Sleep,
    Asleep,
    /// Looks for the dead without the lock.
    Glance,
    Outcome,
    Unstake,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    lock: Lock,
    waiting: u8,
    generation: u8,
    phase: Phase,
    /// A bit for each generation.
    passed: u8,
    stakes: [u8; MOST],
    /// The generation that each stake is of.
    tags: [u8; MOST],
    sleepers: Sleepers,
    kills: u8,
    lives: [Life; MOST],
    at: [At; MOST],
    calls: [u8; MOST],
    seen: [u8; MOST],
    /// Not in the code: who is in `waiting`.
    counted: [bool; MOST],
    /// Not in the code: generations that somebody was told had passed, or had not.
    told: [u8; 2],
    wrong: Option<&'static str>,
}

impl State {
    fn is_dead(&self, process: usize) -> bool {
        self.lives[process] == Life::Dead
    }

    /// `has_dead`. The arena's lock makes it one step.
    fn take_from_the_dead(&mut self, tagged: bool) -> Vec<usize> {
        let with_stakes = |process: &usize| self.is_dead(*process) && self.stakes[*process] > 0;
        let mut found: Vec<_> = (0..MOST).filter(with_stakes).collect();
        found.iter().for_each(|process| self.stakes[*process] = 0);
        found.retain(|process| !tagged || self.tags[*process] == self.generation);
        found
    }
}

impl Barrier {
    fn have(&self, why: Why, process: usize, then: &mut State) -> (At, &'static str) {
        let current = then.generation == then.seen[process];
        match why {
            Why::Come => match then.phase {
                Phase::Acting => {
                    then.seen[process] = then.generation;
                    (At::UnlockToSleep, "locks, and has come too early")
                }
                Phase::Broken => (At::UnlockToReturn, "locks, and finds it broken"),
                Phase::Filling => {
                    then.seen[process] = then.generation;
                    (At::Stake, "locks, and comes")
                }
            },
            Why::Finish if current => (At::End(0, Then::Passed), "locks, and lets all pass"),
            Why::Finish => (At::UnlockToSleep, "locks, and finds it ended before its action did"),
            Why::Look if current => (At::Scan(Why::Look), "locks, and looks for the dead"),
            Why::Late if current => (At::End(0, Then::Broken), "locks, and breaks it"),
            Why::Look | Why::Late => (At::UnlockToSleep, "locks, and finds it ended"),
            Why::Reset => (At::End(0, Then::Reset), "locks, and resets"),
        }
    }

    fn end(stage: u8, end: Then, then: &mut State) -> (At, &'static str) {
        let bit = 1 << then.generation;
        let what = match stage {
            0 if end == Then::Passed => {
                then.passed |= bit;
                "writes that it passed"
            }
            0 => {
                then.passed &= !bit;
                "writes that it did not pass"
            }
            1 => {
                then.waiting = 0;
                "has nobody waiting"
            }
            2 => {
                let filling = matches!(end, Then::Passed | Then::Reset);
                then.phase = if filling { Phase::Filling } else { Phase::Broken };
                "writes the state"
            }
            3 => {
                then.generation += 1;
                then.counted = [false; MOST];
                "begins the next generation"
            }
            _ => {
                then.sleepers.wake(MOST);
                "wakes all"
            }
        };
        match (stage, end) {
            (4, Then::Recovered(why)) => (At::Mark(why), what),
            (4, Then::Reset) => (At::UnlockToReturn, what),
            (4, _) => (At::UnlockToSleep, what),
            _ => (At::End(stage + 1, end), what),
        }
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let Some(call) = self.scripts[process].get(usize::from(state.calls[process])) else { return };
        let mut then = state.clone();
        let mut call_ends = false;
        let why = match (state.at[process], call) {
            (At::Hold(why), _) => why,
            (_, Call::Wait) => Why::Come,
            (_, Call::Reset) => Why::Reset,
        };
        let (at, what) = match state.at[process] {
            At::Between | At::Hold(_) => match then.lock.take(process) {
                None => return,
                Some(true) if self.mutant == Mutant::GoesOn => (At::Mark(why), "locks, and somebody had died"),
                Some(true) => (At::End(0, Then::Recovered(why)), "locks, and somebody had died"),
                Some(false) => self.have(why, process, &mut then),
            },
            At::Mark(why) => {
                then.lock.mark_consistent();
                self.have(why, process, &mut then)
            }
            At::Stake => {
                then.stakes[process] += 1;
                then.tags[process] = state.generation;
                (At::Count, "leaves a stake")
            }
            At::Count => {
                then.waiting += 1;
                then.counted[process] = true;
                let all = then.waiting >= self.parties;
                let opens = if self.mutant == Mutant::OpensBlindly { At::Act } else { At::Scan(Why::Come) };
                (if all { opens } else { At::UnlockToSleep }, "counts itself")
            }
            At::Scan(why) => {
                let found = then.take_from_the_dead(self.mutant != Mutant::Untagged);
                if found.iter().any(|process| !then.counted[*process]) {
                    then.wrong = Some(FOREIGN);
                }
                let at = match why {
                    _ if !found.is_empty() => At::End(0, Then::Broken),
                    Why::Come => At::Act,
                    _ => At::UnlockToSleep,
                };
                let dead =
                    (0..MOST).any(|other| then.counted[other] && (then.is_dead(other) || then.stakes[other] == 0));
                if dead && at == At::Act {
                    then.wrong = Some(PASSED);
                }
                (at, "asks who has died")
            }
            At::Act => {
                let dead =
                    (0..MOST).any(|other| then.counted[other] && (then.is_dead(other) || then.stakes[other] == 0));
                if dead && self.mutant == Mutant::OpensBlindly {
                    then.wrong = Some(PASSED);
                }
                then.phase = Phase::Acting;
                (At::UnlockToAct, "finds that all have come")
            }
            At::End(stage, end) => Self::end(stage, end, &mut then),
            At::UnlockToAct => {
                then.lock.release();
                (At::Hold(Why::Finish), "unlocks, and acts")
            }
            At::UnlockToSleep => {
                then.lock.release();
                (At::Sleep, "unlocks")
            }
            At::UnlockToReturn => {
                then.lock.release();
                call_ends = true;
                (At::Between, "unlocks, and returns")
            }
            At::Sleep if state.generation != state.seen[process] => (At::Outcome, "does not sleep"),
            At::Sleep => {
                then.sleepers.sleep(process);
                (At::Asleep, "falls asleep")
            }
            At::Asleep if !state.sleepers.has(process) => (At::Sleep, "wakes up"),
            At::Asleep => {
                then.sleepers.leave(process);
                if self.timeouts {
                    let mut late = then.clone();
                    late.at[process] = if self.mutant == Mutant::Leaves { At::Unstake } else { At::Hold(Why::Late) };
                    steps.may(process, "waits no longer", late);
                }
                let at = match self.mutant {
                    Mutant::NeverLooks => return,
                    Mutant::LooksUnlocked => At::Glance,
                    _ => At::Hold(Why::Look),
                };
                (at, "wakes up to look")
            }
            At::Glance => {
                let found = then.take_from_the_dead(true);
                (if !found.is_empty() { At::Hold(Why::Late) } else { At::Sleep }, "asks who has died")
            }
            At::Outcome => {
                let passed = state.passed >> state.seen[process] & 1 == 1;
                then.told[usize::from(passed)] |= 1 << state.seen[process];
                let came = state.stakes[process] > 0;
                call_ends = !came && !passed;
                let what = if passed { "sees that it passed" } else { "sees that it did not pass" };
                (
                    if came {
                        At::Unstake
                    } else if passed {
                        At::Hold(Why::Come)
                    } else {
                        At::Between
                    },
                    what,
                )
            }
            At::Unstake => {
                then.stakes[process] -= 1;
                call_ends = true;
                (At::Between, "takes its stake back, and returns")
            }
        };
        then.at[process] = at;
        then.calls[process] += u8::from(call_ends);
        steps.will(process, what, then);
    }
}

impl Model for Barrier {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.scripts.len() {
            let mut then = state.clone();
            if let Some(what) = die(&mut then.lives[process], process, &mut [&mut then.lock], &mut then.sleepers) {
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && usize::from(state.calls[process]) < self.scripts[process].len() {
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let both = state.told[0] & state.told[1] != 0;
        state.wrong.or(both.then_some("of one generation, some are told that it passed, others that it did not"))
    }

    /// Whoever lives has returned, or waits with others who live for one who has not come.
    fn is_settled(&self, state: &State) -> bool {
        let counted = state.counted.iter().filter(|counted| **counted).count();
        let waits = |process: usize| {
            let there = |other| state.lives[other] == Life::Alive && state.sleepers.has(other);
            let none_gone = (0..MOST).all(|other| !state.counted[other] || there(other));
            let filling =
                state.phase == Phase::Filling && state.waiting == counted as u8 && counted < self.parties.into();
            let sleeps = state.sleepers.has(process) && state.seen[process] == state.generation;
            sleeps && state.counted[process] && filling && none_gone
        };
        (0..self.scripts.len()).all(|process| match state.lives[process] {
            Life::Alive => usize::from(state.calls[process]) == self.scripts[process].len() || waits(process),
            life => life == Life::Dead,
        })
    }
}

const PASSED: &str = "it lets through with one who was dead or gone";
const FOREIGN: &str = "it breaks for one who was dead before it began";

use Call::{Reset, Wait};

const RIGHT: Barrier = Barrier { parties: 2, scripts: &[], kills: 0, timeouts: false, mutant: Mutant::None };
const TWO: &[&[Call]] = &[&[Wait, Wait], &[Wait, Wait]];
const THREE: &[&[Call]] = &[&[Wait], &[Wait], &[Wait]];
const RESET: &[&[Call]] = &[&[Wait], &[Wait], &[Reset, Wait]];
const FOUR: &[&[Call]] = &[&[Wait], &[Wait], &[Wait], &[Wait]];

#[test]
fn it_opens_for_the_living_only() {
    holds("barrier of 2, twice, 1 kill, timeouts", &Barrier { scripts: TWO, kills: 1, timeouts: true, ..RIGHT });
    holds("barrier of 2, 3 processes, 1 kill", &Barrier { scripts: THREE, kills: 1, ..RIGHT });
    holds("barrier of 3, 1 kill", &Barrier { parties: 3, scripts: THREE, kills: 1, ..RIGHT });
    holds_wide(
        "barrier of 3, 2 kills, timeouts",
        &Barrier { parties: 3, scripts: THREE, kills: 2, timeouts: true, ..RIGHT },
    );
    holds_wide("barrier of 3, 4 processes, 1 kill", &Barrier { parties: 3, scripts: FOUR, kills: 1, ..RIGHT });
    holds_wide("barrier of 2, reset, 1 kill", &Barrier { scripts: RESET, kills: 1, timeouts: true, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let four = Barrier { parties: 3, scripts: FOUR, kills: 1, ..RIGHT };
    let trace = fails("barrier, looks unlocked", &Barrier { mutant: Mutant::LooksUnlocked, ..four }, PASSED);
    println!("{trace:?}");
    fails("barrier, opens blindly", &Barrier { mutant: Mutant::OpensBlindly, ..four }, PASSED);
    fails("barrier, never looks", &Barrier { mutant: Mutant::NeverLooks, scripts: TWO, kills: 1, ..RIGHT }, STUCK);
    fails("barrier, goes on", &Barrier { mutant: Mutant::GoesOn, scripts: TWO, kills: 1, ..RIGHT }, FOREIGN);
    let late = Barrier { parties: 3, scripts: THREE, timeouts: true, ..RIGHT };
    fails("barrier, leaves", &Barrier { mutant: Mutant::Leaves, ..late }, PASSED);
    let reset = Barrier { scripts: RESET, kills: 1, timeouts: true, ..RIGHT };
    let trace = fails("barrier, untagged", &Barrier { mutant: Mutant::Untagged, ..reset }, FOREIGN);
    println!("{trace:?}");
}
