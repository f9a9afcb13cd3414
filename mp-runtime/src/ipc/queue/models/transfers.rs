//! `put.rs`, `get.rs` and `repair.rs`, as far as they move segments.

use super::{
    memory::{
        At, Back, CORRUPT, DAMAGED, GETS, Goal, Kind, List, Note, Own, PUTS, Place, SEGMENTS, State, WORDS, Word,
    },
    segments::{Mutant, Segments, Step},
};

impl Segments {
    pub(super) fn put(&self, at: At, process: usize, then: &mut State) -> Step {
        if self.side(process) != PUTS {
            return None;
        }
        let id = process as u8 * 4 + then.calls[process] + 1;
        let own = &mut then.own[process];
        let far = own.first;
        let segment = usize::from(own.place.segment);
        let step = match at {
            At::Fill => {
                let piece = own.todo.pop();
                then.words[usize::from(piece)] = [Word::Data(id); WORDS as usize];
                (if own.todo.is_empty() { At::Side } else { At::Fill }, "fills a segment of its chain")
            }
            At::Place => {
                own.place = then.places[PUTS];
                let fits = own.place.word + 1 < WORDS;
                (if fits { At::Write } else { At::Space(Goal::Ring) }, "loads the place")
            }
            At::Link => {
                then.words[segment][usize::from(own.place.word)] = Word::Next(own.segment - 1);
                own.place = Place { segment: own.segment - 1, word: 0, ..own.place };
                own.segment = 0;
                (At::Write, "links another segment")
            }
            At::Write => {
                then.words[segment][usize::from(own.place.word)] = Word::Item { id, far };
                let late = self.mutant == Mutant::QueuesLate;
                (if far > 0 && !late { At::Queue } else { At::Commit }, "writes the item")
            }
            At::Queue => {
                then.notes[usize::from(far - 1)].kind = Kind::Queued;
                let late = self.mutant == Mutant::QueuesLate;
                (if late { At::Disown } else { At::Commit }, "notes that the chain is the queue's")
            }
            At::Commit => {
                then.items[usize::from(own.place.number)] = id;
                then.places[PUTS] = Place { word: own.place.word + 1, number: own.place.number + 1, ..own.place };
                then.calls[process] += 1;
                own.place = Place::default();
                let late = self.mutant == Mutant::QueuesLate;
                let at = match far {
                    0 => At::Unlock,
                    _ if late => At::Queue,
                    _ => At::Disown,
                };
                (at, "commits")
            }
            At::Disown => {
                then.stakes[process] -= 1;
                own.first = 0;
                (At::Unlock, "takes its stake back")
            }
            At::Unlock => {
                own.place = Place::default();
                then.locks[PUTS].release();
                (At::Begin, "unlocks")
            }
            _ => return None,
        };
        Some(step)
    }

    pub(super) fn get(&self, at: At, process: usize, then: &mut State) -> Step {
        if self.side(process) != GETS {
            return None;
        }
        let own = &mut then.own[process];
        let early = self.mutant == Mutant::OwnsEarly;
        let step = match at {
            At::Look if then.places[PUTS].number == then.places[GETS].number => (At::Unlock, "finds nothing"),
            At::Look => {
                *own = Own { place: then.places[GETS], ..Own::default() };
                let word = |place: Place| then.words[usize::from(place.segment)][usize::from(place.word)];
                let mut found = word(own.place);
                if let Word::Next(segment) = found {
                    own.segment = own.place.segment + 1;
                    own.place = Place { segment, word: 0, ..own.place };
                    found = word(own.place);
                }
                let Word::Item { id, far } = found else {
                    then.wrong = Some(CORRUPT);
                    return Some((At::Unlock, "finds no item"));
                };
                (own.id, own.first) = (id, far);
                let frees = self.mutant == Mutant::FreesEarly && own.segment > 0;
                let at = if frees { At::Space(Goal::Left) } else { At::CommitGet };
                (if far > 0 { At::Stake } else { at }, "finds an item")
            }
            At::Stake => {
                then.stakes[process] += 1;
                (if early { At::Own } else { At::CommitGet }, "leaves a stake")
            }
            At::Own => {
                then.notes[usize::from(own.first - 1)].kind = Kind::Owned(process as u8);
                let at = if own.segment > 0 { At::Space(Goal::Left) } else { At::Unlock };
                (if early { At::CommitGet } else { at }, "notes that the chain is its own")
            }
            At::CommitGet => {
                then.places[GETS] = Place { word: own.place.word + 1, number: own.place.number + 1, ..own.place };
                if then.items[usize::from(own.place.number)] != own.id {
                    then.wrong = Some(CORRUPT);
                }
                let at = if own.segment > 0 { At::Space(Goal::Left) } else { At::Unlock };
                (if own.first > 0 && !early { At::Own } else { at }, "gets it")
            }
            At::Unlock => {
                then.locks[GETS].release();
                then.own[process].todo = then.list(then.own[process].first);
                let own = &mut then.own[process];
                let reads = own.first > 0;
                if !reads {
                    *own = Own::default();
                }
                (if reads { At::Read } else { At::Begin }, "unlocks")
            }
            At::Read => {
                let piece = own.todo.pop();
                if then.words[usize::from(piece)] != [Word::Data(own.id); WORDS as usize] {
                    then.wrong = Some(CORRUPT);
                }
                let end = if self.mutant == Mutant::DisownsEarly { At::Disown } else { At::Space(Goal::Free) };
                (if own.todo.is_empty() { end } else { At::Read }, "reads a segment")
            }
            At::Disown => {
                then.stakes[process] -= 1;
                if self.mutant == Mutant::DisownsEarly {
                    return Some((At::Space(Goal::Free), "takes its stake back"));
                }
                *own = Own::default();
                (At::Begin, "takes its stake back")
            }
            _ => return None,
        };
        Some(step)
    }

    /// `repair`.
    pub(super) fn mend(&self, at: At, process: usize, then: &mut State) -> Step {
        let step = match at {
            At::MendPuts => {
                then.locks[PUTS].take(process)?;
                (At::MendGets, "locks those who put")
            }
            At::MendGets => {
                then.locks[GETS].take(process)?;
                (At::Space(Goal::Mend), "locks those who get")
            }
            At::MendLook if !then.is_leaky && !then.locks.iter().any(|lock| lock.is_orphaned()) => {
                then.locks.iter_mut().for_each(|lock| lock.release());
                (At::Side, "finds all in order")
            }
            At::MendLook => (At::MendWalk, "finds that somebody had died"),
            At::MendWalk => {
                let Some((ring, chains)) = then.walk() else {
                    then.wrong = Some(DAMAGED);
                    return Some((At::MendClear, "finds damage"));
                };
                for segment in (0..SEGMENTS).filter(|segment| ring & 1 << segment != 0) {
                    then.notes[segment] = Note::default();
                }
                for first in chains {
                    then.notes[usize::from(first - 1)].kind = Kind::Queued;
                }
                let all_dead = self.mutant == Mutant::TakesAllForDead;
                match then.used(|owner| !then.is_dead(owner) && !all_dead) {
                    Ok(used) => {
                        then.own[process].todo = List::of((0..then.fresh).filter(|segment| used & 1 << segment == 0));
                    }
                    Err(wrong) => then.wrong = Some(wrong),
                }
                let keeps = self.mutant == Mutant::KeepsNotes;
                (if keeps { At::MendClear } else { At::MendDisown }, "walks from item to item")
            }
            At::MendDisown => {
                let mut todo = then.own[process].todo;
                while !todo.is_empty() {
                    let note = &mut then.notes[usize::from(todo.pop())];
                    if matches!(note.kind, Kind::Owned(_)) {
                        note.kind = Kind::Link;
                        return Some((At::MendDisown, "takes a chain from one who is dead"));
                    }
                }
                (At::MendClear, "finds no chain of the dead")
            }
            At::MendClear => {
                then.free = 0;
                let none = then.own[process].todo.is_empty();
                (if none { At::MendLeaky } else { At::BackNote(Back::Mend) }, "empties the list")
            }
            At::MendLeaky => {
                then.is_leaky = false;
                (At::MendMark(PUTS), "has found all")
            }
            At::MendMark(side) => {
                then.locks[side].mark_consistent();
                if side == GETS {
                    then.locks.iter_mut().for_each(|lock| lock.release());
                }
                (if side == GETS { At::Side } else { At::MendMark(GETS) }, "marks a lock")
            }
            _ => return None,
        };
        Some(step)
    }
}
