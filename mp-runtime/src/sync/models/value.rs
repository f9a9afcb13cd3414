//! `values/value.rs`: two places, and a count that says which of them counts. Readers take no lock.

use crate::models::{
    kernel::{Life, Lock, MOST, Sleepers, die},
    search::{Model, Steps, fails, holds, holds_wide},
};

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// The value is written over the one that counts.
    OnePlace,
    /// A reader does not look whether the count has changed meanwhile.
    LooksOnce,
    /// The count is changed before the value is written.
    CountsEarly,
    /// A change is made without the lock.
    Unlocked,
}

/// Each change adds one to both halves of the value.
struct Value {
    /// How often each writer changes it.
    writers: &'static [u8],
    /// How often each reader reads it.
    readers: &'static [u8],
    kills: u8,
    mutant: Mutant,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Begin,
    First,
    Second,
    WriteFirst,
    WriteSecond,
    Count,
    /// A reader's second look; a writer's unlock.
    End,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    lock: Lock,
    version: u8,
    places: [[u8; 2]; 2],
    kills: u8,
    lives: [Life; MOST],
    at: [At; MOST],
    rounds: [u8; MOST],
    /// The version and the value as each has read them.
    seen: [u8; MOST],
    read: [[u8; 2]; MOST],
    /// Not in the code: changes that were made, by the living and the dead.
    made: u8,
    wrong: Option<&'static str>,
}

impl Value {
    fn count(&self) -> usize {
        self.writers.len() + self.readers.len()
    }

    fn rounds(&self, process: usize) -> u8 {
        self.writers.iter().chain(self.readers).nth(process).copied().unwrap_or(0)
    }

    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let writes = process < self.writers.len();
        let locks = self.mutant != Mutant::Unlocked;
        let place = usize::from(state.seen[process] % 2);
        let other = if self.mutant == Mutant::OnePlace { place } else { 1 - place };
        let read = state.read[process];
        let (at, what) = match state.at[process] {
            At::Begin if state.rounds[process] == self.rounds(process) => return,
            At::Begin => {
                if writes && locks {
                    match then.lock.take(process) {
                        None => return,
                        // Whoever it was had changed it, or not.
                        Some(_) => then.lock.mark_consistent(),
                    }
                }
                then.seen[process] = state.version;
                (At::First, "reads the count")
            }
            At::First => {
                then.read[process][0] = state.places[place][0];
                (At::Second, "reads the first half")
            }
            At::Second => {
                then.read[process][1] = state.places[place][1];
                let counts = if self.mutant == Mutant::CountsEarly { At::Count } else { At::WriteFirst };
                (if writes { counts } else { At::End }, "reads the second half")
            }
            At::WriteFirst => {
                then.places[other][0] = read[0] + 1;
                (At::WriteSecond, "writes the first half")
            }
            At::WriteSecond => {
                then.places[other][1] = read[1] + 1;
                (if self.mutant == Mutant::CountsEarly { At::End } else { At::Count }, "writes the second half")
            }
            At::Count => {
                then.version = state.seen[process] + 1;
                then.made += 1;
                (if self.mutant == Mutant::CountsEarly { At::WriteFirst } else { At::End }, "counts the change")
            }
            At::End if writes => {
                then.rounds[process] += 1;
                if locks {
                    then.lock.release();
                }
                (At::Begin, "unlocks")
            }
            At::End if state.version != state.seen[process] && self.mutant != Mutant::LooksOnce => {
                (At::Begin, "finds that it has changed")
            }
            At::End => {
                then.rounds[process] += 1;
                if read != [state.seen[process]; 2] {
                    then.wrong = Some(HALF);
                }
                (At::Begin, "has read it")
            }
        };
        then.at[process] = at;
        steps.will(process, what, then);
    }
}

impl Model for Value {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.count() {
            let mut then = state.clone();
            let mut nobody = Sleepers::default();
            if let Some(what) = die(&mut then.lives[process], process, &mut [&mut then.lock], &mut nobody) {
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                if state.kills > 0 && process < self.writers.len() && state.rounds[process] < self.rounds(process) {
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let lost = state.lock.is_free() && state.version != state.made;
        state.wrong.or(lost.then_some(LOST))
    }

    fn is_settled(&self, state: &State) -> bool {
        (0..self.count()).all(|process| match state.lives[process] {
            Life::Alive => state.rounds[process] == self.rounds(process),
            life => life == Life::Dead,
        })
    }
}

const HALF: &str = "a reader sees a value that never was";
const LOST: &str = "a change is lost";

const RIGHT: Value = Value { writers: &[2, 2], readers: &[1], kills: 0, mutant: Mutant::None };

#[test]
fn a_change_is_made_wholly_or_not_at_all() {
    holds("value, 2 writers, 1 reader, 2 kills", &Value { writers: &[2, 1], kills: 2, ..RIGHT });
    holds_wide("value, 2 writers, 2 readers, 1 kill", &Value { writers: &[2, 1], readers: &[1, 1], kills: 1, ..RIGHT });
    holds_wide("value, 3 writers, 1 reader, 2 kills", &Value { writers: &[1, 1, 1], kills: 2, ..RIGHT });
}

#[test]
fn mutants_are_found() {
    let mutants = [
        ("one place", Mutant::OnePlace, HALF),
        ("looks once", Mutant::LooksOnce, HALF),
        ("counts early", Mutant::CountsEarly, HALF),
        ("unlocked", Mutant::Unlocked, LOST),
    ];
    for (name, mutant, wrong) in mutants {
        fails(&format!("value, {name}"), &Value { kills: 1, mutant, ..RIGHT }, wrong);
    }
}
