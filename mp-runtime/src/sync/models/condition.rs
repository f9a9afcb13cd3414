//! `sync/condition.rs`: the kernel chooses whom a notification wakes; only if it finds too few asleep, all who wait are called.

use crate::models::{
    kernel::{Life, Lock, MOST, Sleepers, die},
    search::{Model, STUCK, Steps, fails, holds, holds_wide},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// Nobody is called if the kernel finds too few asleep.
    NeverCalls,
    /// A waiter looks whether it is called before it reads the changes.
    ReadsLate,
    /// A waiter does not count itself.
    Uncounted,
    /// A notifier leaves no stake.
    NoStake,
    /// A waiter takes its stake back when it is woken, before it has the lock.
    UnstakesEarly,
    /// Who looks does not ask who has died.
    NeverAsks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    /// Locks, adds one, notifies one.
    Produce,
    /// Locks, adds one, unlocks, and then notifies one.
    ProduceFirst,
    /// Locks, waits until there is one, takes it.
    Consume,
}

struct Condition {
    scripts: &'static [&'static [Call]],
    kills: u8,
    looks: bool,
    mutant: Mutant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Lock,
    Take,
    Count,
    Stake,
    Base,
    UnlockToWait,
    Read,
    Called,
    Sleep,
    Asleep,
    /// Asks who has died.
    Ask,
    Relock,
    Unstake,
    Uncount,
    Add,
    /// `notify`.
    NotifyStake,
    Change,
    AskWaiting,
    Wake,
    Call,
    ChangeAgain,
    WakeAll,
    NotifyUnstake,
    Unlock,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    lock: Lock,
    changes: u8,
    called: u8,
    waiting: u8,
    stakes: [u8; MOST],
    /// What the condition is about.
    things: u8,
    sleepers: Sleepers,
    kills: u8,
    lives: [Life; MOST],
    at: [At; MOST],
    calls: [u8; MOST],
    base: [u8; MOST],
    seen: [u8; MOST],
    /// Who notifies as many as wait.
    all: [bool; MOST],
    /// Who has put a wake-up off until its unlock.
    owes: [bool; MOST],
}

impl Condition {
    fn call(&self, state: &State, process: usize) -> Option<Call> {
        self.scripts[process].get(usize::from(state.calls[process])).copied()
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let Some(call) = self.call(state, process) else { return };
        let mut then = state.clone();
        let mutant = self.mutant;
        let mut call_ends = false;
        let waits = call == Call::Consume;
        let (at, what) = match state.at[process] {
            At::Lock | At::Relock => {
                match then.lock.take(process) {
                    None => return,
                    // Who learns that somebody died looks what is there, tells all, and says that it is well: in one step, because
                    // if it dies before that the next one learns the same.
                    Some(true) => {
                        then.called = state.changes + 1;
                        then.changes += 1;
                        then.sleepers.wake(MOST);
                        then.lock.mark_consistent();
                    }
                    Some(false) => {}
                }
                let at = match (state.at[process], waits) {
                    (At::Relock, _) if mutant == Mutant::UnstakesEarly => At::Uncount,
                    (At::Relock, _) => At::Unstake,
                    (_, true) if state.things > 0 => At::Take,
                    (_, true) if mutant == Mutant::Uncounted => At::Stake,
                    (_, true) => At::Count,
                    (_, false) => At::Add,
                };
                (at, "locks")
            }
            At::Take => {
                then.things -= 1;
                (At::Unlock, "takes one")
            }
            At::Count => {
                then.waiting += 1;
                (At::Stake, "counts itself")
            }
            At::Stake => {
                then.stakes[process] += 1;
                (At::Base, "leaves a stake")
            }
            At::Base => {
                then.base[process] = state.changes;
                (At::UnlockToWait, "reads the changes")
            }
            At::UnlockToWait => {
                then.lock.release();
                (if mutant == Mutant::ReadsLate { At::Called } else { At::Read }, "unlocks, to wait")
            }
            At::Read => {
                then.seen[process] = state.changes;
                (if mutant == Mutant::ReadsLate { At::Sleep } else { At::Called }, "reads the changes again")
            }
            At::Called if state.called > state.base[process] => (At::Relock, "is called"),
            At::Called => (if mutant == Mutant::ReadsLate { At::Read } else { At::Sleep }, "is not called"),
            At::Sleep if state.changes != state.seen[process] => {
                (if mutant == Mutant::ReadsLate { At::Called } else { At::Read }, "does not sleep")
            }
            At::Sleep => {
                then.sleepers.sleep(process);
                (At::Asleep, "falls asleep")
            }
            At::Asleep if !state.sleepers.has(process) => {
                then.stakes[process] -= u8::from(mutant == Mutant::UnstakesEarly);
                (At::Relock, "is woken")
            }
            At::Asleep => {
                then.sleepers.leave(process);
                let asks = mutant != Mutant::NeverAsks;
                then.at[process] = if asks { At::Ask } else { At::Read };
                if self.looks {
                    steps.will(process, "wakes up to look", then);
                } else {
                    steps.may(process, "wakes up to look", then);
                }
                return;
            }
            At::Ask => {
                let dead = |other: &usize| state.lives[*other] == Life::Dead && state.stakes[*other] > 0;
                let found: Vec<_> = (0..MOST).filter(dead).collect();
                found.iter().for_each(|other| then.stakes[*other] = 0);
                let read = if mutant == Mutant::ReadsLate { At::Called } else { At::Read };
                let then = if state.lock.is_orphaned() { At::Relock } else { read };
                (if found.is_empty() { then } else { At::Change }, "asks who has died")
            }
            At::Unstake => {
                then.stakes[process] -= 1;
                (if mutant == Mutant::Uncounted { At::Lock } else { At::Uncount }, "takes its stake back")
            }
            At::Uncount => {
                then.waiting -= 1;
                then.lock.release();
                // To look again, with the lock still held: as one step with taking it.
                then.at[process] = At::Lock;
                if then.lock.take(process).is_none() {
                    return;
                }
                (if state.things > 0 { At::Take } else { At::Count }, "returns from its wait")
            }
            At::Add => {
                then.things += 1;
                let first = call == Call::ProduceFirst;
                (if first { At::Unlock } else { At::AskWaiting }, "adds one")
            }
            At::NotifyStake => {
                then.stakes[process] += u8::from(mutant != Mutant::NoStake);
                (At::Change, "leaves a stake")
            }
            At::Change => {
                then.changes += 1;
                then.seen[process] = then.changes;
                (if waits || state.all[process] { At::Call } else { At::Wake }, "changes")
            }
            At::AskWaiting => {
                let unlock = if call == Call::Produce { At::Unlock } else { At::Lock };
                call_ends = state.waiting == 0 && call == Call::ProduceFirst;
                then.all[process] = state.waiting == 1;
                (if state.waiting == 0 { unlock } else { At::NotifyStake }, "asks who waits")
            }
            At::Wake => {
                then.sleepers.wake(1);
                let enough = state.sleepers.count() > 0 || mutant == Mutant::NeverCalls;
                (if enough { At::NotifyUnstake } else { At::Call }, "wakes one")
            }
            At::Call => {
                then.called = state.called.max(state.seen[process]);
                (At::ChangeAgain, "calls all")
            }
            At::ChangeAgain => {
                then.changes += 1;
                // With the lock held, a notifier wakes them when it gives that back.
                then.owes[process] = !waits && call == Call::Produce;
                (if then.owes[process] { At::NotifyUnstake } else { At::WakeAll }, "changes again")
            }
            At::WakeAll if state.owes[process] => {
                then.sleepers.wake(MOST);
                then.owes[process] = false;
                call_ends = true;
                (At::Lock, "wakes all")
            }
            At::WakeAll => {
                then.sleepers.wake(MOST);
                let read = if mutant == Mutant::ReadsLate { At::Called } else { At::Read };
                (if waits { read } else { At::NotifyUnstake }, "wakes all")
            }
            At::NotifyUnstake => {
                then.stakes[process] -= u8::from(mutant != Mutant::NoStake);
                call_ends = call == Call::ProduceFirst;
                (if call_ends { At::Lock } else { At::Unlock }, "takes its stake back")
            }
            At::Unlock if state.owes[process] => {
                then.lock.release();
                (At::WakeAll, "unlocks")
            }
            At::Unlock => {
                then.lock.release();
                call_ends = call != Call::ProduceFirst;
                (if call_ends { At::Lock } else { At::AskWaiting }, "unlocks")
            }
        };
        then.at[process] = at;
        then.calls[process] += u8::from(call_ends);
        steps.will(process, what, then);
    }
}

impl Model for Condition {
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
                // Who is killed between its own unlock and its call of `notify` has notified nobody.
                let notifies = !matches!(state.at[process], At::AskWaiting | At::NotifyStake);
                let calls = notifies || self.call(state, process) != Some(ProduceFirst);
                if state.kills > 0 && self.call(state, process).is_some() && calls {
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

    /// Whoever lives has done all it wanted, or waits for a thing where there is none, and whoever makes them has done.
    fn is_settled(&self, state: &State) -> bool {
        let waits = |process: usize| state.things == 0 && state.sleepers.has(process);
        (0..self.scripts.len()).all(|process| match state.lives[process] {
            Life::Alive => self.call(state, process).is_none() || waits(process),
            life => life == Life::Dead,
        })
    }
}

use Call::{Consume, Produce, ProduceFirst};

const RIGHT: Condition = Condition { scripts: &[], kills: 0, looks: true, mutant: Mutant::None };
const ONE: &[&[Call]] = &[&[Produce], &[Consume], &[Consume]];
const TWO: &[&[Call]] = &[&[Produce, Produce], &[Consume], &[Consume]];
const BESIDE: &[&[Call]] = &[&[ProduceFirst, ProduceFirst], &[Consume], &[Consume]];
const FOUR: &[&[Call]] = &[&[Produce], &[ProduceFirst], &[Consume], &[Consume]];

#[test]
fn a_thing_is_taken_whoever_is_killed() {
    holds("condition, 1 thing, 2 waiters, 1 kill", &Condition { scripts: ONE, kills: 1, ..RIGHT });
    holds_wide("condition, 2 things, 2 waiters, 1 kill", &Condition { scripts: TWO, kills: 1, ..RIGHT });
    holds_wide("condition, 1 thing, 2 waiters, 2 kills", &Condition { scripts: ONE, kills: 2, ..RIGHT });
    holds_wide("condition, notified without the lock, 1 kill", &Condition { scripts: BESIDE, kills: 1, ..RIGHT });
    holds_wide("condition, 2 notify, 2 wait, 1 kill", &Condition { scripts: FOUR, kills: 1, ..RIGHT });
}

#[test]
fn nobody_has_to_look_while_nobody_dies() {
    for (name, scripts) in [("1 thing", ONE), ("2 things", TWO), ("without the lock", BESIDE)] {
        holds(&format!("condition, {name}, no kills, no looks"), &Condition { scripts, looks: false, ..RIGHT });
    }
    holds_wide("condition, 2 notify, no kills, no looks", &Condition { scripts: FOUR, looks: false, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let two = Condition { scripts: TWO, looks: false, ..RIGHT };
    fails("condition, never calls", &Condition { mutant: Mutant::NeverCalls, ..two }, STUCK);
    fails("condition, uncounted", &Condition { mutant: Mutant::Uncounted, ..two }, STUCK);
    fails("condition, reads late", &Condition { mutant: Mutant::ReadsLate, ..two }, STUCK);
    let beside = Condition { scripts: BESIDE, kills: 1, ..RIGHT };
    fails("condition, no stake", &Condition { mutant: Mutant::NoStake, ..beside }, STUCK);
    let one = Condition { scripts: ONE, kills: 1, ..RIGHT };
    fails("condition, unstakes early", &Condition { mutant: Mutant::UnstakesEarly, ..one }, STUCK);
    fails("condition, never asks", &Condition { mutant: Mutant::NeverAsks, ..one }, STUCK);
}
