//! `space.rs`, `repair.rs` and what `put.rs` and `get.rs` do with segments. How one side waits for the other is left out: who finds
//! nothing tries again.

use super::memory::{At, Back, GETS, Goal, Kind, List, Note, Own, PUTS, SPACE, State, TWICE};
use crate::models::{
    kernel::{Life, Sleepers, die},
    search::{Model, Steps},
};

/// What is left out, or put in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mutant {
    None,
    /// A chain is the getter's before the item is got. (So it was.)
    OwnsEarly,
    /// With all segments in use nobody looks for those of the dead any more. (So it was.)
    SweepsOnce,
    /// A chain is the queue's after the item was put.
    QueuesLate,
    /// The segment that is left is free before the item is got.
    FreesEarly,
    /// Who puts all in order takes all owners for dead.
    TakesAllForDead,
    /// That somebody has died in the space is not noted.
    NoLeak,
    /// A stake is left after the note.
    StakesLate,
    /// A stake is taken back before the chain is.
    DisownsEarly,
    /// The last segment of a chain is given back first.
    FreesLastFirst,
    /// Who puts all in order gives segments back while other notes still lead to them. (So it was.)
    KeepsNotes,
    /// Nobody looks for the chains of the dead.
    NoSweep,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Segments {
    /// For each who puts: what; how many segments in a chain of its own, or none.
    pub(super) puts: &'static [&'static [u8]],
    pub(super) getters: usize,
    pub(super) most: u8,
    /// With so many in use it is looked for the first time whether some are those of the dead.
    pub(super) few: u8,
    pub(super) kills: u8,
    pub(super) mutant: Mutant,
}

pub(super) type Step = Option<(At, &'static str)>;

impl Segments {
    pub(super) fn count(&self) -> usize {
        self.puts.len() + self.getters
    }

    pub(super) fn side(&self, process: usize) -> usize {
        if process < self.puts.len() { PUTS } else { GETS }
    }

    /// How many segments the item has for itself that is to be put.
    fn length(&self, state: &State, process: usize) -> u8 {
        self.puts[process][usize::from(state.calls[process])]
    }

    fn step(&self, process: usize, then: &mut State) -> Step {
        let at = then.at[process];
        match at {
            At::Begin if self.side(process) == GETS => Some((At::Side, "wants to get")),
            At::Begin if usize::from(then.calls[process]) == self.puts[process].len() => None,
            At::Begin if self.length(then, process) > 0 && then.own[process].first == 0 => {
                Some((At::Space(Goal::Chain), "wants to put, and needs a chain"))
            }
            At::Begin => Some((At::Side, "wants to put")),
            At::Side => {
                let side = self.side(process);
                let died = then.locks[side].take(process)?;
                if died || then.is_leaky {
                    then.locks[side].release();
                    return Some((At::MendPuts, "locks, and somebody had died"));
                }
                Some((if side == PUTS { At::Place } else { At::Look }, "locks"))
            }
            _ => self
                .space(at, process, then)
                .or_else(|| self.back(at, process, then))
                .or_else(|| self.put(at, process, then))
                .or_else(|| self.get(at, process, then))
                .or_else(|| self.mend(at, process, then)),
        }
    }

    fn space(&self, at: At, process: usize, then: &mut State) -> Step {
        let own = &mut then.own[process];
        let step = match at {
            At::Space(goal) => {
                if then.locks[SPACE].take(process)? {
                    let ignores = self.mutant == Mutant::NoLeak;
                    return Some((
                        if ignores { At::LeakMark(goal) } else { At::Leak(goal) },
                        "locks, and one had died",
                    ));
                }
                (self.begin(goal, process, then), "locks the space")
            }
            At::Leak(goal) => {
                then.is_leaky = true;
                (At::LeakMark(goal), "notes that segments may be lost")
            }
            At::LeakMark(goal) => {
                then.locks[SPACE].mark_consistent();
                (self.begin(goal, process, then), "marks the space")
            }
            At::Take(goal) => match then.free.checked_sub(1) {
                Some(segment) => {
                    own.segment = segment + 1;
                    if then.chain(then.own[process].first).contains(&segment) {
                        then.wrong = Some(TWICE);
                    }
                    then.free = then.notes[usize::from(segment)].next;
                    (At::PopNote(goal), "takes a free segment")
                }
                None => {
                    let is_last = then.fresh >= self.most && self.mutant != Mutant::SweepsOnce;
                    let sweeps = then.fresh >= then.sweep_at.max(self.few) || is_last;
                    if sweeps && own.whose == 0 && self.mutant != Mutant::NoSweep {
                        return Some((At::SweepFind(goal), "finds none free"));
                    }
                    own.whose = 0;
                    if then.fresh < self.most {
                        own.segment = then.fresh + 1;
                        then.fresh += 1;
                        let at = if goal == Goal::Chain { At::Chained } else { At::SpaceUnlock(goal) };
                        return Some((at, "takes a fresh one"));
                    }
                    own.segment = 0;
                    if goal == Goal::Chain {
                        let first = std::mem::take(&mut own.first);
                        then.own[process].todo = then.list(first);
                    }
                    let gives = goal == Goal::Chain && !then.own[process].todo.is_empty();
                    (if gives { At::BackNote(Back::Scarce) } else { At::SpaceUnlock(goal) }, "finds that there is none")
                }
            },
            At::PopNote(goal) => {
                let segment = usize::from(own.segment - 1);
                (own.whose, then.notes[segment]) = (0, Note::default());
                (if goal == Goal::Chain { At::Chained } else { At::SpaceUnlock(goal) }, "writes its note")
            }
            At::Chained => {
                then.notes[usize::from(own.segment - 1)] = Note { kind: Kind::Link, next: own.first };
                own.first = own.segment;
                let count = then.chain(then.own[process].first).len();
                let whole = count >= self.length(then, process).into();
                let late = self.mutant == Mutant::StakesLate;
                let end = if late { At::AllocateOwn } else { At::AllocateStake };
                (if whole { end } else { At::Take(Goal::Chain) }, "adds it to its chain")
            }
            At::AllocateStake => {
                then.stakes[process] += 1;
                let late = self.mutant == Mutant::StakesLate;
                (if late { At::SpaceUnlock(Goal::Chain) } else { At::AllocateOwn }, "leaves a stake")
            }
            At::AllocateOwn => {
                then.notes[usize::from(own.first - 1)].kind = Kind::Owned(process as u8);
                let late = self.mutant == Mutant::StakesLate;
                (if late { At::AllocateStake } else { At::SpaceUnlock(Goal::Chain) }, "notes that it is its own")
            }
            At::SpaceUnlock(goal) => {
                then.locks[SPACE].release();
                let first = own.first;
                let ends = self.mutant == Mutant::DisownsEarly && goal == Goal::Free;
                if ends {
                    *own = Own::default();
                }
                let at = match goal {
                    Goal::Chain if first == 0 => At::Begin,
                    Goal::Chain => {
                        then.own[process].todo = then.list(first);
                        At::Fill
                    }
                    Goal::Ring if own.segment == 0 => At::Unlock,
                    Goal::Ring => At::Link,
                    Goal::Free if ends => At::Begin,
                    Goal::Free => At::Disown,
                    Goal::Left if self.mutant == Mutant::FreesEarly => At::CommitGet,
                    Goal::Left => At::Unlock,
                    Goal::Mend => return None,
                };
                (at, "unlocks the space")
            }
            _ => return None,
        };
        Some(step)
    }

    fn begin(&self, goal: Goal, process: usize, then: &mut State) -> At {
        let own = then.own[process];
        match goal {
            Goal::Chain | Goal::Ring => At::Take(goal),
            Goal::Free => {
                then.own[process].todo = then.list(own.first);
                let todo = &mut then.own[process].todo;
                if self.mutant == Mutant::FreesLastFirst {
                    *todo = todo.reversed();
                }
                At::BackNote(Back::Free)
            }
            Goal::Left => {
                then.own[process].todo = List::of(std::iter::once(own.segment - 1));
                At::BackNote(Back::Left)
            }
            Goal::Mend => At::MendLook,
        }
    }

    /// `Space::put`, for each of some segments, and `Space::sweep`.
    fn back(&self, at: At, process: usize, then: &mut State) -> Step {
        let segment = then.own[process].todo.first();
        let own = &mut then.own[process];
        let step = match at {
            At::BackNote(back) => {
                then.notes[usize::from(segment)] = Note { kind: Kind::Link, next: then.free };
                (At::BackList(back), "writes the note of a free segment")
            }
            At::BackList(back) => {
                then.free = segment + 1;
                own.todo.pop();
                let end = match back {
                    _ if !own.todo.is_empty() => At::BackNote(back),
                    Back::Free => At::SpaceUnlock(Goal::Free),
                    Back::Left => {
                        own.segment = 0;
                        At::SpaceUnlock(Goal::Left)
                    }
                    Back::Scarce => At::SpaceUnlock(Goal::Chain),
                    Back::Mend => At::MendLeaky,
                    Back::Sweep(goal) => At::SweepStake(goal),
                };
                (end, "gives a segment back")
            }
            At::SweepFind(goal) => {
                let dead =
                    (0..self.count() as u8).find(|dead| then.is_dead(*dead) && then.stakes[usize::from(*dead)] > 0);
                let Some(dead) = dead else {
                    then.own[process].todo = List::default();
                    return Some((At::SweepNext(goal), "finds no stake of the dead"));
                };
                let of_dead = |note: &Note| note.kind == Kind::Owned(dead);
                let firsts = (1..).zip(&then.notes[..then.fresh.into()]).filter(|(_, note)| of_dead(note));
                let todo: Vec<_> = firsts.flat_map(|(first, _)| then.chain(first)).collect();
                let todo = List::of(todo.into_iter());
                (then.own[process].todo, then.own[process].whose) = (todo, dead + 1);
                let none = todo.is_empty();
                let at = if none { At::SweepStake(goal) } else { At::BackNote(Back::Sweep(goal)) };
                (at, "finds a stake of the dead")
            }
            At::SweepStake(goal) => {
                then.stakes[usize::from(own.whose - 1)] = 0;
                (At::SweepFind(goal), "takes it back")
            }
            At::SweepNext(goal) => {
                then.sweep_at = then.fresh * 2;
                // Looked for, whether or not anything was found: once is enough for a while.
                own.whose = 1;
                (At::Take(goal), "has looked for the dead")
            }
            _ => return None,
        };
        Some(step)
    }

    /// Whether a living process has nothing to do.
    fn is_content(&self, state: &State, process: usize) -> bool {
        let begins = state.at[process] == At::Begin;
        let mut getters = self.puts.len()..self.count();
        match self.puts.get(process) {
            // Nobody makes room for it.
            Some(_) if getters.all(|getter| state.is_dead(getter as u8)) => true,
            Some(puts) => begins && usize::from(state.calls[process]) == puts.len(),
            None => begins && state.places[PUTS].number == state.places[GETS].number,
        }
    }
}

impl Model for Segments {
    type State = State;

    fn start(&self) -> State {
        // The ring has one.
        State { kills: self.kills, fresh: 1, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.count() {
            let mut then = state.clone();
            let [puts, gets, space] = &mut then.locks;
            let mut nobody = Sleepers::default();
            if let Some(what) = die(&mut then.lives[process], process, &mut [puts, gets, space], &mut nobody) {
                then.own[process] = Own::default();
                steps.will(process, what, then);
            } else if state.lives[process] == Life::Alive {
                if let Some((at, what)) = self.step(process, &mut then) {
                    then.at[process] = at;
                    steps.will(process, what, then);
                }
                if state.kills > 0 {
                    let mut then = state.clone();
                    then.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        state.wrong.or_else(|| state.segment_wrong())
    }

    fn is_settled(&self, state: &State) -> bool {
        (0..self.count()).all(|process| match state.lives[process] {
            Life::Alive => self.is_content(state, process),
            life => life == Life::Dead,
        })
    }
}
