//! What lies where in an arena's file. Addresses are counted in [`GRANULE`]s from its start.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::{shm::chunks, sys::robust_mutex::RobustMutex};

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"mp-arena");
/// Both sides must have been built with the same.
pub(super) const VERSION: u32 = 1;

pub(super) const GRANULE: usize = 32;
/// The heap is handed out to the size classes in pieces of this.
pub(super) const SLAB: usize = 64 << 10;
pub(super) const MAX_SLABS: usize = 1 << 16;
/// Processes and messages that have something of an arena, at a time.
pub(super) const MAX_HOLDERS: usize = 1 << 14;
/// Class 0 is records; the cells of class `n` are `32 << n` bytes.
pub(super) const CLASSES: usize = 12;

/// The most bytes that a block can hold.
pub(crate) const MAX_BLOCK: usize = cell_size(CLASSES - 1) - size_of::<BlockHeader>();

const HOLDERS: usize = 4 << 10;
const SLAB_CLASSES: usize = HOLDERS + MAX_HOLDERS * size_of::<Holder>();
/// Where the first slab begins.
pub(super) const HEAP: usize = (SLAB_CLASSES + MAX_SLABS).next_multiple_of(SLAB);

/// How the file is mapped: first a mebibyte.
pub(super) type Chunks = chunks::Chunks<{ 1 << 20 }>;
const _: () = assert!(slab_offset(MAX_SLABS) <= Chunks::MOST);

/// The file's first page.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Header {
    pub(super) magic: AtomicU64,
    pub(super) version: AtomicU32,
    /// How many slabs have been handed out to a class.
    pub(super) slabs: AtomicU32,
    /// Who changes anything but what is inside a block holds this.
    pub(super) mutex: RobustMutex,
    /// Where to look first for a place that is free.
    pub(super) next_holder: AtomicU32,
    pub(super) holders: AtomicU32,
    /// With so many holders it is time to look which of them are dead.
    pub(super) sweep_at: AtomicU32,
    pub(super) unused: AtomicU32,
    /// Where the thread numbers in its locks mean something; zero: not known.
    pub(super) pid_namespace: AtomicU64,
    pub(super) classes: [Class; CLASSES],
}

/// A size class: its free cells, and those never used yet.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Class {
    pub(super) free: AtomicU32,
    pub(super) fresh: AtomicU32,
    pub(super) fresh_end: AtomicU32,
}

/// A process, or a message on its way.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) used: AtomicU32,
    /// How many records name it.
    pub(super) records: AtomicU32,
}

/// Before every block. Free: kind zero.
#[repr(C)]
#[derive(Debug)]
pub(super) struct BlockHeader {
    pub(super) kind: AtomicU32,
    /// The first record of this block; the next free block.
    pub(super) first: AtomicU32,
    /// How many bytes were asked for.
    pub(super) length: AtomicU64,
}

/// That somebody has a block. Free: no block.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Record {
    /// The block in the upper half, its holder in the lower: what the records say is the truth, all else can be
    /// derived from it.
    pub(super) word: AtomicU64,
    /// The next record of this block; the next free record.
    pub(super) next: AtomicU32,
    /// What the holder has taken of the block (permits), to be given back should it die.
    pub(super) stake: AtomicU32,
    /// The record before; zero: the first of its block.
    pub(super) previous: AtomicU32,
    pub(super) unused: [AtomicU32; 3],
}

const _: () = assert!(size_of::<Header>() <= HOLDERS && size_of::<Record>() == GRANULE);

pub(super) const fn holder_offset(holder: u32) -> usize {
    HOLDERS + holder as usize * size_of::<Holder>()
}

/// Each slab's class and one; zero: none yet. A byte each.
pub(super) const fn slab_class_offset(slab: usize) -> usize {
    SLAB_CLASSES + slab * size_of::<AtomicU8>()
}

pub(super) const fn slab_offset(slab: usize) -> usize {
    HEAP + slab * SLAB
}

pub(super) const fn cell_size(class: usize) -> usize {
    GRANULE << class
}

/// The smallest class for a block of `length` bytes, if there is one.
pub(super) fn class_of(length: usize) -> Option<usize> {
    let needed = length.checked_add(size_of::<BlockHeader>())?;
    (1..CLASSES).find(|class| cell_size(*class) >= needed)
}

pub(super) fn record_word(block: u32, holder: u32) -> u64 {
    u64::from(block) << 32 | u64::from(holder)
}

/// The block and the holder.
pub(super) fn split(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}
