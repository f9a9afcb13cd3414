//! How an item lies in a segment: a word that says what it is, one or two more for what lies elsewhere, and the bytes.
//!
//! | bits of the first word | |
//! |---|---|
//! | 63 | always set |
//! | 58 | no item: the next segment's number is in the lower half |
//! | 57 | the bytes lie in segments of their own; a word with the first one's number follows |
//! | 56 | descriptors came along; a word with the ticket that they wait under follows |
//! | 0..32 | the length of the item in bytes |
//!
//! An item with descriptors is a whole message as on a socket, header included; any other is just the body of one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::stop::damaged;
use crate::{
    error::Result,
    shm::{segments::SEGMENT_WORDS, words},
};

const RECORD: u64 = 1 << 63;
const NEXT: u64 = 1 << 58;
const FAR: u64 = 1 << 57;
const DESCRIPTORS: u64 = 1 << 56;

/// Larger ones get segments of their own, so that nobody copies much while others wait.
pub(super) const MAX_NEAR: usize = 32 << 10;

const WORD: usize = size_of::<u64>();

/// What the first words say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) length: usize,
    /// The first of the segments that the bytes lie in.
    pub(super) far: Option<u32>,
    /// What the descriptors wait under.
    pub(super) ticket: Option<u64>,
}

/// What lies at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Item(Record),
    /// Nothing more in this segment; go on in that one.
    Next(u32),
}

impl Record {
    /// How many words come before the bytes.
    #[inline]
    fn head(self) -> usize {
        1 + usize::from(self.far.is_some()) + usize::from(self.ticket.is_some())
    }

    /// Whether all that belongs to it lies in the ring.
    #[inline]
    pub(super) fn is_near(self) -> bool {
        self.far.is_none() && self.ticket.is_none()
    }

    /// How many words it takes.
    #[inline]
    pub(super) fn words(self) -> usize {
        let near = if self.far.is_none() { self.length } else { 0 };
        self.head() + near.div_ceil(WORD)
    }

    /// Whether it can begin at `word` and leave room for a link behind it.
    #[inline]
    pub(super) fn fits(self, word: usize) -> bool {
        word + self.words() < SEGMENT_WORDS
    }

    /// Writes it, where it fits, with its bytes if they are near.
    #[inline]
    pub(super) fn write(self, words: &[AtomicU64], at: usize, bytes: &[u8]) -> Result<()> {
        let flags = if self.far.is_some() { FAR } else { 0 } | if self.ticket.is_some() { DESCRIPTORS } else { 0 };
        let (first, mut words) = words.get(at..).and_then(<[_]>::split_first).ok_or_else(damaged)?;
        first.store(RECORD | flags | self.length as u64, Relaxed);
        for more in [self.far.map(u64::from), self.ticket].into_iter().flatten() {
            let (next, rest) = words.split_first().ok_or_else(damaged)?;
            next.store(more, Relaxed);
            words = rest;
        }
        if self.far.is_none() { store(words, bytes) } else { Ok(()) }
    }

    /// Puts its bytes, which are near, behind those in `into`.
    #[inline]
    pub(super) fn read(self, words: &[AtomicU64], at: usize, into: &mut Vec<u8>) -> Result<()> {
        load(words.get(at + self.head()..).unwrap_or_default(), self.length, into)
    }
}

/// Writes a link to another segment: there is always room for one.
pub(super) fn write_next(words: &[AtomicU64], at: usize, segment: u32) -> Result<()> {
    words.get(at).ok_or_else(damaged)?.store(RECORD | NEXT | u64::from(segment), Relaxed);
    Ok(())
}

/// What lies at `at`.
#[inline]
pub(super) fn look(words: &[AtomicU64], at: usize) -> Result<Found> {
    let word = |at: usize| words.get(at).map(|word| word.load(Relaxed)).ok_or_else(damaged);
    let first = word(at)?;
    if first & RECORD == 0 {
        return Err(damaged());
    }
    let low = first as u32;
    if first & NEXT != 0 {
        return Ok(Found::Next(low));
    }
    let far = if first & FAR != 0 { Some(u32::try_from(word(at + 1)?).map_err(|_| damaged())?) } else { None };
    let ticket = match first & DESCRIPTORS {
        0 => None,
        _ => Some(word(at + 1 + usize::from(far.is_some()))?),
    };
    let record = Record { length: low as usize, far, ticket };
    if record.fits(at) { Ok(Found::Item(record)) } else { Err(damaged()) }
}

/// Writes bytes, as words.
#[inline]
pub(super) fn store(words: &[AtomicU64], bytes: &[u8]) -> Result<()> {
    words::store(words, bytes).ok_or_else(damaged)
}

/// Reads `length` bytes, and puts them behind those in `into`.
#[inline]
pub(super) fn load(words: &[AtomicU64], length: usize, into: &mut Vec<u8>) -> Result<()> {
    words::load(words, length, into).ok_or_else(damaged)
}
