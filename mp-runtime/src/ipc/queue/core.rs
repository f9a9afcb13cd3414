//! What all handles of a queue have: its part of an arena, with locks and places, and the file with the items.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
    },
};

use super::{
    bell::Bell,
    place::{Place, between, number_of},
    space::{Space, in_memory},
    stop::damaged,
};
use crate::{
    error::{Error, Result},
    shm::{
        arena::{Block, Shared},
        layouts::{QueuePart, QueueSide},
        segments::{MAX_SEGMENTS, SEGMENT, Segments},
    },
    sys::{
        poll::Deadline,
        recvmsg::Arrived,
        robust_mutex::{Held, Locked, RobustMutex},
        sysconf::physical_memory,
    },
};

/// The shared memory of a queue, as this process has it.
#[derive(Debug)]
pub(super) struct Core {
    shared: Shared<QueuePart>,
    segments: Segments,
}

impl Core {
    /// An empty queue for `bound` items; zero: without a bound.
    pub(super) fn create(bound: u32, is_joinable: bool) -> Result<Self> {
        let shared: Shared<QueuePart> = Shared::new(0)?;
        let segments = Segments::create().map_err(|error| Error::os("make the memory of a queue", error))?;
        let core = Self { shared, segments };
        core.part().bound.store(bound, Release);
        core.part().is_joinable.store(u32::from(is_joinable), Release);
        core.part().most_segments.store(most_segments(), Release);
        let first = core.space()?.take()?.ok_or_else(damaged)?;
        let start = Place { segment: first, ..Place::default() }.pack();
        core.part().put_front.place.store(start, Release);
        core.part().get_front.place.store(start, Release);
        Ok(core)
    }

    /// The queue that came.
    pub(super) fn received(block: Block, memfd: Arrived) -> Result<Self> {
        let shared = Shared::from_block(block)?;
        let segments = Segments::received(memfd).map_err(|error| Error::os("take the memory of a queue", error))?;
        Ok(Self { shared, segments })
    }

    pub(super) fn part(&self) -> &QueuePart {
        &self.shared
    }

    pub(super) fn block(&self) -> &Block {
        self.shared.block()
    }

    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(super) fn memfd(&self) -> BorrowedFd<'_> {
        self.segments.as_fd()
    }

    #[inline]
    pub(super) fn words(&self, segment: u32) -> Result<&[AtomicU64]> {
        self.segments.words(segment).map_err(in_memory)
    }

    /// By which those who get learn of items.
    #[inline]
    pub(super) fn put_bell(&self) -> Bell<'_> {
        Bell { side: &self.part().puts, front: &self.part().put_front }
    }

    /// By which those who put learn of room.
    #[inline]
    pub(super) fn get_bell(&self) -> Bell<'_> {
        Bell { side: &self.part().gets, front: &self.part().get_front }
    }

    /// How many items have been put, modulo 2³⁰.
    #[inline]
    pub(super) fn put_number(&self) -> u32 {
        number_of(self.part().put_front.place.load(SeqCst))
    }

    /// How many items have been got, modulo 2³⁰.
    #[inline]
    pub(super) fn got_number(&self) -> u32 {
        number_of(self.part().get_front.place.load(SeqCst))
    }

    /// How many items are in the queue.
    pub(super) fn queued(&self) -> u32 {
        // In this order: what is got meanwhile counts, and nothing is counted that is not there.
        let got = self.got_number();
        between(got, self.put_number())
    }

    /// Whether there is nothing to get now.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.put_number() == self.got_number()
    }

    /// Whether nothing can be put any more.
    pub(super) fn is_shut(&self) -> bool {
        self.part().is_shut.load(Acquire) != 0
    }

    /// Whether who gets an item holds it until it is done.
    pub(super) fn is_joinable(&self) -> bool {
        self.part().is_joinable.load(Relaxed) != 0
    }

    /// Whether an item was taken out that may come back.
    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.part().out.load(SeqCst) != 0
    }

    /// Whether an item came back.
    #[inline]
    pub(super) fn has_returned(&self) -> bool {
        self.part().returned.load(SeqCst) != 0
    }

    /// How many bytes of items it can hold.
    pub(super) fn most_bytes(&self) -> usize {
        self.part().most_segments.load(Acquire) as usize * SEGMENT
    }

    /// Locks a side. If somebody has died in the queue, it is put in order first.
    #[inline]
    pub(super) fn lock<'a>(&self, side: &'a QueueSide) -> Result<Held<'a>> {
        loop {
            match lock_even_if_orphaned(&side.mutex)? {
                (held, Locked::Yes) if self.part().is_leaky.load(Relaxed) == 0 => return Ok(held),
                (held, _) => drop(held),
            }
            self.repair()?;
        }
    }

    /// Looks for segments of one who died with the space locked, if there is one. Without any lock.
    pub(super) fn mend(&self) -> Result<()> {
        if self.part().is_leaky.load(Relaxed) == 0 { Ok(()) } else { self.repair() }
    }

    /// Locks the space, which may be done with a side locked, and not the other way round.
    pub(super) fn space(&self) -> Result<Space<'_>> {
        let (held, locked) = lock_even_if_orphaned(&self.part().space.mutex)?;
        if locked == Locked::OwnerDied {
            // Nothing is wrong with the lists, but he may have had segments that are in none. To find them takes both sides.
            self.part().is_leaky.store(1, SeqCst);
            held.0.mark_consistent();
        }
        Ok(Space::new(self, held))
    }
}

/// Locks one of the queue's mutexes, and says whether its last holder has died.
#[inline]
pub(super) fn lock_even_if_orphaned(mutex: &RobustMutex) -> Result<(Held<'_>, Locked)> {
    match mutex.lock_within_the_library(Deadline::NEVER) {
        Ok(locked @ (Locked::Yes | Locked::OwnerDied)) => Ok((Held(mutex), locked)),
        Ok(other) => Err(Error::protocol(format!("a queue cannot be locked: {other:?}"))),
        Err(error) => Err(Error::os("lock a queue", error)),
    }
}

/// Half of the memory that there is.
fn most_segments() -> u32 {
    let half = physical_memory() / 2;
    u32::try_from(half / SEGMENT).unwrap_or(MAX_SEGMENTS).clamp(1024, MAX_SEGMENTS)
}
