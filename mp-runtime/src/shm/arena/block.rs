//! A piece of an arena that this process has.

use std::{
    fmt,
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    arena::{Arena, damaged},
    heap::Heap,
    holders,
    layout::{BlockHeader, GRANULE, cell_size, class_of, split},
    shared::mutexes_of,
};
use crate::{
    error::{Error, Result},
    sys::robust_list,
};

/// The piece stays as long as anyone has it, in this process or another; a process that ends, in whatever way, has it no longer.
pub(crate) struct Block {
    arena: Arc<Arena>,
    at: u32,
    record: u32,
    /// Whose record that is: the child of a `fork` has none.
    pid: u32,
    content: NonNull<u8>,
    length: usize,
    stake: NonNull<AtomicU32>,
}

// SAFETY: an address in memory that stays mapped as long as `arena`; what lies there is only used through atomics or under a
// lock that lies there too.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// A new one, all zeros, in this process's own arena. `kind` says what it is for.
    pub(super) fn new(kind: u32, length: usize) -> Result<Self> {
        Self::new_in(&Arena::own()?, kind, length)
    }

    pub(super) fn new_in(arena: &Arc<Arena>, kind: u32, length: usize) -> Result<Self> {
        let pid = own_pid()?;
        let heap = arena.lock()?;
        let (at, record) = heap.allocate(kind, length)?;
        Self::found(arena, &heap, (at, record), pid)
    }

    /// The one that came in a message, with the record under which it travelled.
    pub(crate) fn adopt(arena: &Arc<Arena>, at: u32, record: u32) -> Result<Self> {
        let pid = own_pid()?;
        let heap = arena.lock()?;
        heap.hand_over(record, at, arena.holder())?;
        Self::found(arena, &heap, (at, record), pid)
    }

    /// The same, of a message that stays where it is, and keeps the record.
    pub(crate) fn adopt_copy(arena: &Arc<Arena>, at: u32, record: u32) -> Result<Self> {
        let pid = own_pid()?;
        let heap = arena.lock()?;
        heap.check_message(record, at)?;
        let copy = heap.add_record(at, arena.holder())?;
        Self::found(arena, &heap, (at, copy), pid)
    }

    fn found(arena: &Arc<Arena>, heap: &Heap<'_>, (at, record): (u32, u32), pid: u32) -> Result<Self> {
        let header = heap.block(at)?;
        let length = usize::try_from(header.length.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        if class_of(length).is_none_or(|class| !(at as usize * GRANULE).is_multiple_of(cell_size(class))) {
            return Err(damaged());
        }
        let content = arena.address(at as usize * GRANULE + size_of::<BlockHeader>())?;
        let stake = NonNull::from(&heap.record(record)?.stake);
        Ok(Self { arena: Arc::clone(arena), at, record, pid, content, length, stake })
    }

    pub(super) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    pub(super) fn at(&self) -> u32 {
        self.at
    }

    /// What it is for.
    pub(super) fn kind(&self) -> Result<u32> {
        let header: &BlockHeader = self.arena.part(self.at as usize * GRANULE)?;
        Ok(header.kind.load(Ordering::Relaxed))
    }

    /// Where the content begins: 16 bytes behind a boundary of 32, and mapped as long as the block lives.
    #[inline]
    pub(in crate::shm) fn content(&self) -> NonNull<u8> {
        self.content
    }

    /// How long the content is, in bytes.
    #[inline]
    pub(in crate::shm) fn length(&self) -> usize {
        self.length
    }

    /// Whether it is the same memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.content == other.content
    }

    /// Whether it is the calling process that has it, not the one that this is a `fork` of.
    pub(crate) fn is_own(&self) -> bool {
        own_pid().is_ok_and(|pid| pid == self.pid)
    }

    /// What this process has taken of it through this handle, to be seen by others should it die.
    #[inline]
    pub(crate) fn stake(&self) -> &AtomicU32 {
        // SAFETY: the record lies in the arena's mapping, which lives as long as `self`, and is an atomic.
        unsafe { self.stake.as_ref() }
    }

    /// Where the stake is in the arena, to note it there.
    pub(crate) fn stake_address(&self) -> u32 {
        self.record
    }

    /// The stake whose address was noted; none if that record is not one of this block any more.
    pub(crate) fn stake_at(&self, address: u32) -> Result<u32> {
        let heap = self.arena.lock()?;
        let record = heap.record(address)?;
        let is_of_this = split(record.word.load(Ordering::Relaxed)).0 == self.at;
        Ok(if is_of_this { record.stake.load(Ordering::Relaxed) } else { 0 })
    }

    /// Whether the process whose stake has this address has the block, and lives.
    pub(crate) fn has_living(&self, address: u32) -> Result<bool> {
        let heap = self.arena.lock()?;
        let (block, holder) = split(heap.record(address)?.word.load(Ordering::Relaxed));
        Ok(block == self.at && holders::is_alive(&heap, holder)?)
    }

    /// Calls `take` with the stake of each process that has died with one. None of them changes meanwhile, nor is
    /// taken out before.
    pub(crate) fn stakes_of_the_dead(&self, mut take: impl FnMut(u32, &AtomicU32)) -> Result<()> {
        let heap = self.arena.lock()?;
        for (address, stake) in holders::stakes_of_the_dead(&heap, self.at)? {
            take(address, stake);
        }
        Ok(())
    }
}

/// The calling process, which need not be the one that a block was made in.
fn own_pid() -> Result<u32> {
    robust_list::tid().map_err(|error| Error::os("ask for the list of locks", error))?;
    Ok(robust_list::pid())
}

impl Drop for Block {
    fn drop(&mut self) {
        if !self.is_own() {
            return;
        }
        if let Ok(kind) = self.kind()
            && mutexes_of(self.content, self.length, kind).any(|mutex| mutex.holder() == Some(self.pid))
        {
            // A guard may have been forgotten in this process: its thread's list of locks then leads through this memory.
            self.arena.keep();
        }
        // An error is damage that others have done; what is lost is memory in their arena.
        if let Ok(heap) = self.arena.lock() {
            heap.remove_record(self.record).ok();
        }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("at", &self.at).field("length", &self.length).finish_non_exhaustive()
    }
}
