//! The allocator: cells of a few sizes, each size from slabs of its own.
//!
//! All of it under the arena's lock. The records are what counts; a block that has none is free, whatever else was half
//! done. So a block's record is written last, and taken out first.

use std::{
    ptr,
    sync::atomic::{
        AtomicU8, AtomicU32,
        Ordering::{Relaxed, Release},
    },
};

use super::{
    arena::{Arena, damaged},
    holders,
    layout::{
        BlockHeader, CLASSES, Chunks, Class, GRANULE, HEAP, Holder, MAX_HOLDERS, MAX_SLABS, Record, SLAB, cell_size,
        class_of, holder_offset, record_word, slab_class_offset, slab_offset, split,
    },
    shared::held_in,
};
use crate::{
    error::{Error, Result},
    fault,
    sys::memfd,
};

/// Among the kinds: nobody has it, but a thread that lives holds a lock in it, and will do so until it ends.
pub(super) const ABANDONED: u32 = u32::MAX;

/// The arena, locked.
#[derive(Debug)]
pub(super) struct Heap<'a>(&'a Arena);

impl<'a> Heap<'a> {
    /// The caller holds the arena's lock.
    pub(super) fn new(arena: &'a Arena) -> Self {
        Self(arena)
    }

    pub(super) fn arena(&self) -> &'a Arena {
        self.0
    }

    pub(super) fn class(&self, class: usize) -> Result<&'a Class> {
        self.0.header()?.classes.get(class).ok_or_else(damaged)
    }

    pub(super) fn holder(&self, holder: u32) -> Result<&'a Holder> {
        if holder as usize >= MAX_HOLDERS {
            return Err(damaged());
        }
        self.0.part(holder_offset(holder))
    }

    pub(super) fn slabs(&self) -> Result<usize> {
        let slabs = self.0.header()?.slabs.load(Relaxed) as usize;
        if slabs > MAX_SLABS { Err(damaged()) } else { Ok(slabs) }
    }

    /// The class that a slab was handed out to.
    pub(super) fn slab_class(&self, slab: usize) -> Result<usize> {
        let class: &AtomicU8 = self.0.part(slab_class_offset(slab))?;
        match usize::from(class.load(Relaxed)) {
            class @ 1..=CLASSES => Ok(class - 1),
            _ => Err(damaged()),
        }
    }

    /// The class of the cell at `at`: an address that came from elsewhere.
    fn class_at(&self, at: u32) -> Result<usize> {
        let offset = at as usize * GRANULE;
        let slab = offset.checked_sub(HEAP).ok_or_else(damaged)? / SLAB;
        if slab >= self.slabs()? {
            return Err(damaged());
        }
        let class = self.slab_class(slab)?;
        if (offset - HEAP).is_multiple_of(cell_size(class)) { Ok(class) } else { Err(damaged()) }
    }

    pub(super) fn record(&self, at: u32) -> Result<&'a Record> {
        match self.class_at(at)? {
            0 => self.0.part(at as usize * GRANULE),
            _ => Err(damaged()),
        }
    }

    pub(super) fn block(&self, at: u32) -> Result<&'a BlockHeader> {
        match self.class_at(at)? {
            0 => Err(damaged()),
            _ => self.0.part(at as usize * GRANULE),
        }
    }

    /// A new block of zeros, which this process has. Returns the block and its record.
    pub(super) fn allocate(&self, kind: u32, length: usize) -> Result<(u32, u32)> {
        let Some(class) = class_of(length) else {
            return Err(Error::invalid(format!("{length} bytes do not go into one block of shared memory")));
        };
        let record = self.take(0)?;
        let at = match self.take(class) {
            Ok(at) => at,
            Err(error) => {
                self.put_record(record)?;
                return Err(error);
            }
        };
        fault::point_named("block-taken");
        let block = self.block(at)?;
        let content = self.0.address(at as usize * GRANULE + size_of::<BlockHeader>())?;
        // SAFETY: the cell is as large as its class says, one mapping, and nobody has it.
        unsafe { ptr::write_bytes(content.as_ptr(), 0, cell_size(class) - size_of::<BlockHeader>()) };
        block.first.store(0, Relaxed);
        block.length.store(length as u64, Relaxed);
        block.kind.store(kind, Relaxed);
        fault::point_named("block-made");
        self.write_record(record, at, self.0.holder())?;
        Ok((at, record))
    }

    /// Another record of a block that somebody has.
    pub(super) fn add_record(&self, at: u32, holder: u32) -> Result<u32> {
        let record = self.take(0)?;
        self.write_record(record, at, holder)?;
        Ok(record)
    }

    fn write_record(&self, at: u32, block: u32, holder: u32) -> Result<()> {
        let (record, header) = (self.record(at)?, self.block(block)?);
        let count = &self.holder(holder)?.records;
        record.stake.store(0, Relaxed);
        self.link(at, record, header)?;
        count.store(count.load(Relaxed) + 1, Relaxed);
        fault::point_named("record-linked");
        record.word.store(record_word(block, holder), Release);
        Ok(())
    }

    /// The record of a message that was received is now its receiver's.
    pub(super) fn hand_over(&self, at: u32, block: u32, to: u32) -> Result<()> {
        self.check_message(at, block)?;
        self.rewrite_record(at, to)
    }

    /// Whether a message has the block by that record.
    pub(super) fn check_message(&self, at: u32, block: u32) -> Result<()> {
        let record = self.record(at)?;
        let (named, from) = split(record.word.load(Relaxed));
        if named != block || self.block(block)?.kind.load(Relaxed) == 0 {
            return Err(Error::protocol("a handle came whose memory nobody has"));
        }
        if self.holder(from)?.used.load(Relaxed) != holders::MESSAGE {
            return Err(Error::protocol("a handle came a second time"));
        }
        Ok(())
    }

    /// The record is now another holder's.
    pub(super) fn rewrite_record(&self, at: u32, to: u32) -> Result<()> {
        let record = self.record(at)?;
        let (block, from) = split(record.word.load(Relaxed));
        let (old, new) = (self.holder(from)?, self.holder(to)?);
        record.word.store(record_word(block, to), Release);
        fault::point_named("record-handed-over");
        new.records.store(new.records.load(Relaxed) + 1, Relaxed);
        holders::forget_one(self, old);
        Ok(())
    }

    /// Takes a record out; frees the block if it was the last.
    pub(super) fn remove_record(&self, at: u32) -> Result<()> {
        let record = self.record(at)?;
        let (block, holder) = split(record.word.load(Relaxed));
        let header = self.block(block)?;
        record.word.store(0, Relaxed);
        fault::point_named("record-cleared");
        holders::forget_one(self, self.holder(holder)?);
        let (previous, next) = (record.previous.load(Relaxed), record.next.load(Relaxed));
        if next != 0 {
            self.record(next)?.previous.store(previous, Relaxed);
        }
        match previous {
            0 => header.first.store(next, Relaxed),
            previous => self.record(previous)?.next.store(next, Relaxed),
        }
        fault::point_named("record-unlinked");
        self.put_record(at)?;
        if header.first.load(Relaxed) == 0 { self.free(block) } else { Ok(()) }
    }

    /// Makes it the first record of its block.
    pub(super) fn link(&self, at: u32, record: &Record, block: &BlockHeader) -> Result<()> {
        let next = block.first.load(Relaxed);
        if next != 0 {
            self.record(next)?.previous.store(at, Relaxed);
        }
        record.previous.store(0, Relaxed);
        record.next.store(next, Relaxed);
        block.first.store(at, Relaxed);
        Ok(())
    }

    /// All records of a block.
    pub(super) fn records_of(&self, block: u32) -> Result<Vec<(u32, &'a Record)>> {
        let mut found = Vec::new();
        // A chain of more is a ring.
        let all = self.slabs()? * (SLAB / size_of::<Record>());
        let mut at = self.block(block)?.first.load(Relaxed);
        while at != 0 {
            let record = self.record(at)?;
            if split(record.word.load(Relaxed)).0 != block || found.len() > all {
                return Err(damaged());
            }
            found.push((at, record));
            at = record.next.load(Relaxed);
        }
        Ok(found)
    }

    /// A block that has no records.
    pub(super) fn free(&self, at: u32) -> Result<()> {
        let (class, block) = (self.class_at(at)?, self.block(at)?);
        let kind = block.kind.load(Relaxed);
        if kind == ABANDONED || held_in(self.0, kind, at, cell_size(class))? {
            // Its bytes are part of a thread's list of locks.
            block.kind.store(ABANDONED, Relaxed);
            return Ok(());
        }
        block.kind.store(0, Relaxed);
        fault::point_named("block-cleared");
        self.put(class, at, &block.first)
    }

    /// A record that names nothing.
    pub(super) fn put_record(&self, at: u32) -> Result<()> {
        self.put(0, at, &self.record(at)?.next)
    }

    pub(super) fn put(&self, class: usize, at: u32, link: &AtomicU32) -> Result<()> {
        let free = &self.class(class)?.free;
        link.store(free.load(Relaxed), Relaxed);
        free.store(at, Relaxed);
        Ok(())
    }

    /// A free cell.
    fn take(&self, class: usize) -> Result<u32> {
        let list = self.class(class)?;
        let free = list.free.load(Relaxed);
        if free != 0 {
            if self.class_at(free)? != class {
                return Err(damaged());
            }
            let link = if class == 0 { &self.record(free)?.next } else { &self.block(free)?.first };
            list.free.store(link.load(Relaxed), Relaxed);
            return Ok(free);
        }
        let fresh = list.fresh.load(Relaxed);
        if fresh == list.fresh_end.load(Relaxed) {
            return self.take_of_a_new_slab(class);
        }
        list.fresh.store(fresh + (cell_size(class) / GRANULE) as u32, Relaxed);
        Ok(fresh)
    }

    #[cold]
    fn take_of_a_new_slab(&self, class: usize) -> Result<u32> {
        // What the dead had comes first.
        holders::sweep(self)?;
        let list = self.class(class)?;
        if list.free.load(Relaxed) != 0 {
            return self.take(class);
        }
        let slab = self.slabs()?;
        if slab == MAX_SLABS {
            return Err(Error::invalid(format!("shared memory is full: {} MiB are in use", (MAX_SLABS * SLAB) >> 20)));
        }
        let start = slab_offset(slab);
        memfd::grow(self.0.file(), Chunks::file_size(start) as u64)
            .map_err(|error| Error::os("grow shared memory", error))?;
        self.0.address(start)?;
        let place: &AtomicU8 = self.0.part(slab_class_offset(slab))?;
        place.store(class as u8 + 1, Relaxed);
        fault::point_named("slab-classed");
        self.0.header()?.slabs.store(slab as u32 + 1, Release);
        fault::point_named("slab-counted");
        list.fresh_end.store(((start + SLAB) / GRANULE) as u32, Relaxed);
        list.fresh.store((start / GRANULE + cell_size(class) / GRANULE) as u32, Relaxed);
        Ok((start / GRANULE) as u32)
    }
}

impl Drop for Heap<'_> {
    fn drop(&mut self) {
        if let Ok(header) = self.0.header() {
            header.mutex.unlock();
        }
    }
}
