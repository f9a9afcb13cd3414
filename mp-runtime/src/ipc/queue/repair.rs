//! What is done after somebody has died with a lock of the queue.
//!
//! The places of both sides are the truth: what lies between them was put and not got. All else follows from it and from the notes
//! of chains whose owners live.

use std::sync::atomic::Ordering::{Acquire, SeqCst};

use super::{
    core::{Core, lock_even_if_orphaned},
    place::{Place, between},
    record::{Found, look},
    space::{Note, Space},
    stop::damaged,
};
use crate::{error::Result, fault};

impl Core {
    /// Puts all in order that the dead have left half done. Who dies in here leaves it to the next.
    #[cold]
    pub(super) fn repair(&self) -> Result<()> {
        let part = self.part();
        let (puts, _) = lock_even_if_orphaned(&part.puts.mutex)?;
        let (gets, _) = lock_even_if_orphaned(&part.gets.mutex)?;
        let space = self.space()?;
        let mutexes = [puts.0, gets.0];
        if part.is_leaky.load(SeqCst) == 0 && mutexes.iter().all(|mutex| mutex.died().is_none()) {
            // Somebody else has done it.
            return Ok(());
        }
        self.derive(&space)?;
        fault::point_named("queue-repaired");
        part.is_leaky.store(0, SeqCst);
        mutexes.iter().for_each(|mutex| mutex.mark_consistent());
        Ok(())
    }

    fn derive(&self, space: &Space<'_>) -> Result<()> {
        let mut used = vec![false; self.used() as usize];
        self.walk(&mut used)?;
        let (mut out, mut returned) = (0, 0);
        for segment in 0..self.used() {
            let note = self.note(segment)?;
            if is_used(&used, segment)? {
                continue;
            }
            let is_kept = match note {
                Note::Owned { owner, .. } => self.block().has_living(owner)?,
                // It was about to be taken out, and is in the ring still.
                Note::Held { .. } | Note::Returned { .. } => !self.has(self.head(segment)?.number),
                Note::Link { .. } | Note::Queued { .. } => false,
            };
            if is_kept {
                out += u32::from(!matches!(note, Note::Owned { .. }));
                returned += u32::from(matches!(note, Note::Returned { .. }));
                self.use_chain(segment, &mut used)?;
            } else {
                // Before any of it is free: whoever sweeps would free it again, should this be the last that is done here.
                self.set_note(segment, Note::Link { next: note.next() })?;
            }
        }
        self.part().out.store(out, SeqCst);
        self.part().returned.store(returned, SeqCst);
        space.clear();
        for (segment, _) in (0..).zip(&used).filter(|(_, used)| !**used) {
            let is_warm = space.is_short_of_warm();
            if !is_warm {
                self.forget(segment)?;
            }
            space.put(segment, is_warm)?;
        }
        Ok(())
    }

    /// Whether the item of that number is in the queue.
    fn has(&self, number: u32) -> bool {
        between(self.got_number(), number) < between(self.got_number(), self.put_number())
    }

    /// From item to item.
    fn walk(&self, used: &mut [bool]) -> Result<()> {
        let part = self.part();
        let mut place = Place::unpack(part.get_front.place.load(Acquire))?;
        let end = Place::unpack(part.put_front.place.load(Acquire))?;
        self.use_link(place.segment, used)?;
        while place != end {
            match look(self.words(place.segment)?, place.word)? {
                Found::Item(record) => {
                    if let Some(first) = record.far {
                        let next = self.note(first)?.next();
                        self.set_note(first, Note::Queued { next })?;
                        self.use_chain(first, used)?;
                    }
                    place = place.after(record.words());
                }
                Found::Next(segment) => {
                    place = Place { segment, word: 0, ..place };
                    self.use_link(segment, used)?;
                }
            }
        }
        Ok(())
    }

    fn use_link(&self, segment: u32, used: &mut [bool]) -> Result<()> {
        use_one(used, segment)?;
        self.set_note(segment, Note::Link { next: None })
    }

    fn use_chain(&self, first: u32, used: &mut [bool]) -> Result<()> {
        self.chain(first)?.into_iter().try_for_each(|segment| use_one(used, segment))
    }
}

fn is_used(used: &[bool], segment: u32) -> Result<bool> {
    used.get(segment as usize).copied().ok_or_else(damaged)
}

/// Nothing is used twice: so every walk ends.
fn use_one(used: &mut [bool], segment: u32) -> Result<()> {
    match used.get_mut(segment as usize) {
        Some(used) if !*used => {
            *used = true;
            Ok(())
        }
        _ => Err(damaged()),
    }
}
