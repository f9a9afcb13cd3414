//! `sys/robust_mutex.rs`: one word, and a count of those who sleep or are about to.

use crate::models::{
    kernel::{Life, MOST, OWNER, OWNER_DIED, RobustWord, WAITERS, tid},
    search::{Model, STUCK, Steps, fails, holds, holds_wide},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// `unlock` wakes nobody.
    WakesNobody,
    /// `unlock` counts the sleepers before it gives the lock back.
    AsksEarly,
    /// A waiter sleeps without counting itself.
    Uncounted,
    /// The word of a held lock does not ask the kernel to wake anyone.
    NoWaitersBit,
    /// Nothing is written into `list_op_pending`.
    NoPending,
    /// `list_op_pending` is empty again before anyone is woken.
    EndsEarly,
    /// A lock that is held is never put into the list.
    NotListed,
    /// That somebody died is known from the word only.
    Forgets,
    /// Who is told that somebody died takes it that the next one will be told too.
    NoMark,
    /// Looks at the word, and takes it in another step.
    TwoSteps,
}

struct Mutex {
    processes: usize,
    /// How often each takes it.
    rounds: u8,
    kills: u8,
    /// Whether a waiter's time may run out.
    timeouts: bool,
    mutant: Mutant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Begin,
    First,
    Take,
    Count,
    Wait,
    Asleep,
    Uncount,
    Load,
    Enter,
    Note,
    Report,
    /// Has it now: `lock` has only to end. What it says: whether somebody died.
    End(bool),
    Late,
    Inside(bool),
    Release,
    Swap,
    Ask,
    Wake,
    UnlockEnd,
    Out,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    lock: RobustWord,
    sleepers: u8,
    died: bool,
    kills: u8,
    at: [At; MOST],
    /// The word as each has seen it last.
    seen: [u8; MOST],
    rounds: [u8; MOST],
    /// Not in the code: somebody died who held it, and nobody has said since that all is well.
    owed: bool,
    /// Not in the code: somebody was told what is not so.
    lied: bool,
}

impl Mutex {
    /// What comes after the word was seen so.
    fn after(word: u8) -> At {
        if word & OWNER == 0 { At::Take } else { At::Count }
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let (seen, mine) = (state.seen[process], tid(process));
        let held = mine | if self.mutant == Mutant::NoWaitersBit { 0 } else { WAITERS };
        let (at, what) = match state.at[process] {
            At::Begin => {
                then.lock.pending[process] = self.mutant != Mutant::NoPending;
                (At::First, "begins to lock")
            }
            At::Take if self.mutant == Mutant::TwoSteps => {
                then.lock.word = held;
                (At::Enter, "writes the word")
            }
            At::First | At::Take => {
                let expected = if state.at[process] == At::First { 0 } else { seen };
                match then.lock.exchange(expected, held) {
                    Ok(word) => {
                        then.seen[process] = word;
                        (At::Enter, "takes the word")
                    }
                    Err(word) => {
                        then.seen[process] = word;
                        (Self::after(word), "finds it taken")
                    }
                }
            }
            At::Count => {
                if self.timeouts {
                    let mut late = state.clone();
                    late.at[process] = At::Late;
                    steps.may(process, "waits no longer", late);
                }
                let mut spins = state.clone();
                spins.at[process] = At::Load;
                steps.may(process, "spins", spins);
                then.sleepers += u8::from(self.mutant != Mutant::Uncounted);
                (At::Wait, "counts itself")
            }
            At::Wait if then.lock.wait(process, seen) => (At::Asleep, "falls asleep"),
            At::Wait => (At::Uncount, "does not sleep"),
            At::Asleep if state.lock.sleepers.has(process) => {
                then.lock.sleepers.leave(process);
                then.at[process] = At::Uncount;
                steps.may(process, "is disturbed, or its time is over", then);
                return;
            }
            At::Asleep | At::Uncount => {
                then.sleepers -= u8::from(self.mutant != Mutant::Uncounted);
                (At::Load, "wakes up, and counts itself no longer")
            }
            At::Load => {
                then.seen[process] = state.lock.word;
                (Self::after(state.lock.word), "looks at the word")
            }
            At::Enter => {
                then.lock.listed[process] = self.mutant != Mutant::NotListed;
                (if seen & OWNER_DIED == 0 { At::Report } else { At::Note }, "puts it into its list")
            }
            At::Note => {
                then.died = self.mutant != Mutant::Forgets;
                (At::Report, "notes that one has died")
            }
            At::Report => {
                let says = state.died || (self.mutant == Mutant::Forgets && seen & OWNER_DIED != 0);
                then.lied |= says != state.owed;
                (At::End(says), "looks whether one has died")
            }
            At::End(says) => {
                then.lock.pending[process] = false;
                (At::Inside(says), "has it")
            }
            At::Late => {
                then.lock.pending[process] = false;
                (At::Out, "gives up")
            }
            At::Inside(says) => {
                if says {
                    let mut repaired = state.clone();
                    repaired.owed = false;
                    repaired.died = self.mutant == Mutant::NoMark && state.died;
                    repaired.at[process] = At::Inside(false);
                    steps.will(process, "says that all is well", repaired);
                }
                then.lock.pending[process] = self.mutant != Mutant::NoPending;
                (At::Release, "begins to unlock")
            }
            At::Release => {
                then.lock.listed[process] = false;
                (if self.mutant == Mutant::AsksEarly { At::Ask } else { At::Swap }, "takes it out of its list")
            }
            At::Swap => {
                then.lock.word = 0;
                let early = matches!(self.mutant, Mutant::AsksEarly | Mutant::WakesNobody);
                let wakes = self.mutant == Mutant::AsksEarly && seen != 0;
                then.lock.pending[process] &= self.mutant != Mutant::EndsEarly;
                (
                    if wakes {
                        At::Wake
                    } else if early {
                        At::UnlockEnd
                    } else {
                        At::Ask
                    },
                    "gives the word back",
                )
            }
            At::Ask if self.mutant == Mutant::AsksEarly => {
                then.seen[process] = state.sleepers;
                (At::Swap, "counts the sleepers")
            }
            At::Ask => (if state.sleepers > 0 { At::Wake } else { At::UnlockEnd }, "counts the sleepers"),
            At::Wake => {
                then.lock.sleepers.wake(1);
                (At::UnlockEnd, "wakes one")
            }
            At::UnlockEnd => {
                then.lock.pending[process] = false;
                then.rounds[process] += 1;
                then.seen[process] = 0;
                (if then.rounds[process] < self.rounds { At::Begin } else { At::Out }, "has unlocked it")
            }
            At::Out => return,
        };
        then.at[process] = at;
        steps.will(process, what, then);
    }
}

impl Model for Mutex {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.processes {
            let mut then = state.clone();
            if let Some(what) = then.lock.die(process) {
                let had = state.lock.word & OWNER == tid(process) || matches!(state.at[process], At::Inside(_));
                then.owed |= had && state.lock.lives[process] == Life::Exiting;
                steps.will(process, what, then);
            } else if state.lock.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && state.at[process] != At::Out {
                    then.lock.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let has = |process: &usize| {
            let lives = matches!(state.lock.lives[*process], Life::Alive | Life::Killed | Life::Exiting);
            lives && matches!(state.at[*process], At::Inside(_))
        };
        if (0..self.processes).filter(has).count() > 1 {
            return Some(TWO);
        }
        state.lied.then_some(LIED)
    }

    fn is_settled(&self, state: &State) -> bool {
        (0..self.processes).all(|process| match state.lock.lives[process] {
            Life::Alive => state.at[process] == At::Out,
            life => life == Life::Dead,
        })
    }
}

const TWO: &str = "two have the lock";
const LIED: &str = "a taker is told of a death that was none, or not told of one";

const RIGHT: Mutex = Mutex { processes: 3, rounds: 1, kills: 0, timeouts: false, mutant: Mutant::None };

#[test]
fn one_has_it_and_all_get_it_whoever_is_killed() {
    holds(
        "mutex, 2 processes, 3 rounds, 1 kill, timeouts",
        &Mutex { processes: 2, rounds: 3, kills: 1, timeouts: true, ..RIGHT },
    );
    holds("mutex, 3 processes, 1 kill", &Mutex { kills: 1, ..RIGHT });
    holds_wide("mutex, 3 processes, 3 kills, timeouts", &Mutex { kills: 3, timeouts: true, ..RIGHT });
    holds_wide("mutex, 3 processes, 2 rounds, 1 kill", &Mutex { rounds: 2, kills: 1, ..RIGHT });
    holds_wide("mutex, 4 processes, 1 kill", &Mutex { processes: 4, kills: 1, ..RIGHT });
    holds("mutex, 3 processes, 2 rounds, no kill", &Mutex { rounds: 2, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let mutants = [
        ("wakes nobody", Mutant::WakesNobody, STUCK),
        ("asks early", Mutant::AsksEarly, STUCK),
        ("uncounted", Mutant::Uncounted, STUCK),
        ("no waiters bit", Mutant::NoWaitersBit, STUCK),
        ("no pending", Mutant::NoPending, STUCK),
        ("ends early", Mutant::EndsEarly, STUCK),
        ("not listed", Mutant::NotListed, STUCK),
        ("forgets", Mutant::Forgets, LIED),
        ("no mark", Mutant::NoMark, LIED),
        ("two steps", Mutant::TwoSteps, LIED),
    ];
    for (name, mutant, wrong) in mutants {
        let rounds = if mutant == Mutant::NoMark { 2 } else { 1 };
        fails(&format!("mutex, {name}"), &Mutex { rounds, kills: 1, mutant, ..RIGHT }, wrong);
    }
}
