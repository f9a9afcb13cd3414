//! Which segments are free, and whose the others are.
//!
//! A segment is part of the ring, or of a *chain*: the bytes of one large item. The note of a chain's first segment says whose it
//! is: somebody's who writes it or reads it, outside of all locks, or the queue's. The note of every segment but those of the ring
//! says which one comes next. What is no part of the ring and of no chain is free.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{core::Core, stop::damaged};
use crate::{
    error::{Error, Result},
    fault,
    shm::{layouts::QueueSpace, segments::SEGMENT},
    sys::{atomic::AtomicU32, robust_mutex::Held},
};

/// So many free segments keep their memory: 4 MiB.
const WARM: u32 = 64;
/// Below so many in use nobody looks for those of the dead.
const FEW: u32 = 64;

const NEXT_BITS: u32 = 21;
const OWNER_BITS: u32 = 32;

/// What a segment's note says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Free, or part of the ring, or a later part of a chain.
    Link { next: Option<u32> },
    /// The first of a chain that the process whose stake has this address is busy with.
    Owned { owner: u32, next: Option<u32> },
    /// The first of a chain that is in the queue.
    Queued { next: Option<u32> },
    /// The first of a chain whose item that process has taken out, and has not said to be done.
    Held { owner: u32, next: Option<u32> },
    /// The same, but nobody has it any more.
    Returned { next: Option<u32> },
}

impl Note {
    pub(super) fn unpack(word: u64) -> Self {
        let next = (word as u32 & ((1 << NEXT_BITS) - 1)).checked_sub(1);
        match word >> (NEXT_BITS + OWNER_BITS) {
            1 => Self::Owned { owner: (word >> NEXT_BITS) as u32, next },
            2 => Self::Queued { next },
            3 => Self::Held { owner: (word >> NEXT_BITS) as u32, next },
            4 => Self::Returned { next },
            _ => Self::Link { next },
        }
    }

    pub(super) fn pack(self) -> u64 {
        let (kind, owner, next) = match self {
            Self::Link { next } => (0, 0, next),
            Self::Owned { owner, next } => (1, owner, next),
            Self::Queued { next } => (2, 0, next),
            Self::Held { owner, next } => (3, owner, next),
            Self::Returned { next } => (4, 0, next),
        };
        kind << (NEXT_BITS + OWNER_BITS) | u64::from(owner) << NEXT_BITS | next.map_or(0, |next| u64::from(next) + 1)
    }

    pub(super) fn next(self) -> Option<u32> {
        match self {
            Self::Link { next }
            | Self::Owned { next, .. }
            | Self::Queued { next }
            | Self::Held { next, .. }
            | Self::Returned { next } => next,
        }
    }
}

/// The queue's space, locked.
pub(super) struct Space<'a> {
    core: &'a Core,
    _held: Held<'a>,
}

impl<'a> Space<'a> {
    pub(super) fn new(core: &'a Core, held: Held<'a>) -> Self {
        Self { core, _held: held }
    }

    fn space(&self) -> &'a QueueSpace {
        &self.core.part().space
    }

    /// A segment that nobody has; none if there are no more.
    pub(super) fn take(&self) -> Result<Option<u32>> {
        let space = self.space();
        if let Some(segment) = self.pop(&space.warm)? {
            space.warm_count.store(space.warm_count.load(Relaxed).saturating_sub(1), Relaxed);
            return Ok(Some(segment));
        }
        if let Some(segment) = self.pop(&space.cold)? {
            return Ok(Some(segment));
        }
        let fresh = space.fresh.load(Relaxed);
        // With none left nobody would look any more.
        let is_last = fresh >= self.core.part().most_segments.load(Relaxed);
        if is_last || fresh >= space.sweep_at.load(Relaxed).max(FEW) {
            let found = self.sweep()?;
            // The next time when twice as many are in use as are now.
            space.sweep_at.store(fresh.saturating_sub(found).saturating_mul(2), Relaxed);
            if found > 0 {
                return self.take();
            }
        }
        if is_last {
            return Ok(None);
        }
        self.core.segments().reach(fresh).map_err(|error| Error::os("grow the memory of a queue", error))?;
        space.fresh.store(fresh + 1, Release);
        Ok(Some(fresh))
    }

    fn pop(&self, list: &AtomicU32) -> Result<Option<u32>> {
        let Some(first) = list.load(Relaxed).checked_sub(1) else { return Ok(None) };
        let next = self.core.note(first)?.next();
        list.store(next.map_or(0, |next| next + 1), Relaxed);
        self.core.set_note(first, Note::Link { next: None })?;
        Ok(Some(first))
    }

    /// Whether a segment that comes back should keep its memory.
    pub(super) fn is_short_of_warm(&self) -> bool {
        self.space().warm_count.load(Relaxed) < WARM
    }

    /// Takes a segment back.
    pub(super) fn put(&self, segment: u32, is_warm: bool) -> Result<()> {
        let space = self.space();
        let list = if is_warm { &space.warm } else { &space.cold };
        self.core.set_note(segment, Note::Link { next: list.load(Relaxed).checked_sub(1) })?;
        fault::point_named("queue-segment-back");
        list.store(segment + 1, Relaxed);
        if is_warm {
            space.warm_count.store(space.warm_count.load(Relaxed).saturating_add(1), Relaxed);
        }
        Ok(())
    }

    /// Nothing is free any more, but for what is put back now.
    pub(super) fn clear(&self) {
        let space = self.space();
        space.warm.store(0, Relaxed);
        space.warm_count.store(0, Relaxed);
        space.cold.store(0, Relaxed);
    }

    #[cfg(any(test, feature = "faults"))]
    pub(super) fn count_free(&self) -> Result<u32> {
        let (warm, cold) = (&self.space().warm, &self.space().cold);
        let mut count = 0;
        for list in [warm, cold] {
            let first = list.load(Relaxed).checked_sub(1);
            count += first.map_or(Ok(0), |first| self.core.chain(first).map(|chain| chain.len()))?;
        }
        Ok(count as u32)
    }

    /// Takes the chains back that the dead were busy with. Returns how many segments are free by that.
    pub(super) fn sweep(&self) -> Result<u32> {
        let mut found = Ok(0);
        self.core.block().stakes_of_the_dead(|address, stake| match self.sweep_after(address) {
            Ok(more) => {
                stake.store(0, Release);
                found = found.as_ref().map(|before| before + more).map_err(Clone::clone);
            }
            Err(error) => found = Err(error),
        })?;
        found
    }

    fn sweep_after(&self, dead: u32) -> Result<u32> {
        let mut found = 0;
        for segment in 0..self.core.used() {
            match self.core.note(segment)? {
                Note::Owned { owner, .. } if owner == dead => {
                    for segment in self.core.chain(segment)? {
                        self.core.forget(segment)?;
                        self.put(segment, false)?;
                        found += 1;
                    }
                }
                Note::Held { owner, next } if owner == dead => {
                    // First, so that nobody is said that there is none.
                    self.core.part().returned.fetch_add(1, SeqCst);
                    fault::point_named("queue-return-counted");
                    self.core.set_note(segment, Note::Returned { next })?;
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Core {
    pub(super) fn note(&self, segment: u32) -> Result<Note> {
        let note = self.segments().note(segment).map_err(in_memory)?;
        Ok(Note::unpack(note.load(Acquire)))
    }

    pub(super) fn set_note(&self, segment: u32, note: Note) -> Result<()> {
        self.segments().note(segment).map_err(in_memory)?.store(note.pack(), Release);
        Ok(())
    }

    pub(super) fn forget(&self, segment: u32) -> Result<()> {
        self.segments().forget(segment).map_err(|error| Error::os("give memory of a queue back", error))
    }

    /// All segments of a chain.
    pub(super) fn chain(&self, first: u32) -> Result<Vec<u32>> {
        let most = self.used() as usize;
        let (mut found, mut next) = (Vec::new(), Some(first));
        while let Some(segment) = next {
            if found.len() > most {
                // A ring.
                return Err(damaged());
            }
            found.push(segment);
            next = self.note(segment)?.next();
        }
        Ok(found)
    }

    /// How many segments have ever been in use: all numbers are below.
    pub(super) fn used(&self) -> u32 {
        self.part().space.fresh.load(Acquire).min(crate::shm::segments::MAX_SEGMENTS)
    }

    /// Segments for so many bytes, which are this process's until they are [queued](Note::Queued) or [freed](Self::free);
    /// none if there are not enough.
    pub(super) fn allocate(&self, bytes: usize) -> Result<Option<u32>> {
        let space = self.space()?;
        let mut first = None;
        for _ in 0..bytes.div_ceil(SEGMENT).max(1) {
            let Some(segment) = space.take()? else {
                let taken = first.map_or(Ok(Vec::new()), |first| self.chain(first))?;
                taken.into_iter().try_for_each(|segment| space.put(segment, true))?;
                return Ok(None);
            };
            self.set_note(segment, Note::Link { next: first })?;
            first = Some(segment);
        }
        fault::point_named("queue-chain-taken");
        let Some(first) = first else { return Ok(None) };
        let stake = self.block().stake();
        stake.fetch_add(1, Relaxed);
        self.own(first)?;
        fault::point_named("queue-chain-owned");
        Ok(Some(first))
    }

    /// Says that a chain is this process's.
    pub(super) fn own(&self, first: u32) -> Result<()> {
        let next = self.note(first)?.next();
        self.set_note(first, Note::Owned { owner: self.block().stake_address(), next })
    }

    /// A chain of this process is the queue's, or nobody's.
    pub(super) fn disown(&self) {
        // Fewer than were counted there are not: a child by `fork` may have freed some.
        self.block().stake().fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).ok();
    }

    /// Gives a chain of this process back.
    pub(super) fn free(&self, first: u32) -> Result<()> {
        let segments = self.chain(first)?;
        let is_warm = self.space()?.is_short_of_warm() && segments.len() <= WARM as usize;
        if !is_warm {
            segments.iter().try_for_each(|segment| self.forget(*segment))?;
        }
        let space = self.space()?;
        segments.into_iter().try_for_each(|segment| space.put(segment, is_warm))?;
        drop(space);
        self.disown();
        Ok(())
    }

    /// Gives a segment of the ring back.
    pub(super) fn free_one(&self, segment: u32) -> Result<()> {
        let is_warm = self.space()?.is_short_of_warm();
        if !is_warm {
            self.forget(segment)?;
        }
        self.space()?.put(segment, is_warm)
    }
}

/// The memory of a queue cannot be looked at: it is not what it says, or this process may not map more.
#[cold]
pub(super) fn in_memory(error: std::io::Error) -> Error {
    match error.raw_os_error() {
        Some(_) => Error::os("map the memory of a queue", error),
        None => damaged(),
    }
}
