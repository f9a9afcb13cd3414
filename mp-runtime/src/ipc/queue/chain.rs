//! Segments of one item: a head of four words, and the item's bytes.
//!
//! | word | |
//! |---|---|
//! | 0 | how many bytes it has |
//! | 1 | the ticket of its descriptors; zero: it has none |
//! | 2 | how often it was taken out, of a queue that takes back |
//! | 3 | its number in the queue, of one that was taken out |

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    core::Core,
    record::{load, store},
    stop::damaged,
};
use crate::{
    error::Result,
    shm::segments::{SEGMENT, SEGMENT_WORDS},
};

const HEAD_WORDS: usize = 4;
const HEAD: usize = HEAD_WORDS * size_of::<u64>();

/// What a chain begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) ticket: Option<u64>,
    pub(super) deliveries: u32,
    pub(super) number: u32,
}

/// A chain of this process; freed if nobody else gets it.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    core: &'a Core,
    first: u32,
}

impl<'a> Chain<'a> {
    pub(super) fn new(core: &'a Core, first: u32) -> Self {
        Self { core, first }
    }

    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// It is another's now, or the queue's.
    pub(super) fn keep(self) -> u32 {
        let first = self.first;
        std::mem::forget(self);
        first
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        // If that fails, the memory is damaged.
        self.core.free(self.first).ok();
    }
}

impl Core {
    /// A new chain with that in it; none if there are not enough segments.
    pub(super) fn fill(&self, head: Head, bytes: &[u8]) -> Result<Option<Chain<'_>>> {
        let Some(first) = self.allocate(HEAD + bytes.len())? else { return Ok(None) };
        let chain = Chain::new(self, first);
        self.set_head(first, head)?;
        let (near, far) = bytes.split_at(bytes.len().min(SEGMENT - HEAD));
        let mut segments = self.chain(first)?.into_iter();
        segments.next();
        store(&self.words(first)?[HEAD_WORDS..], near)?;
        for (segment, bytes) in segments.zip(far.chunks(SEGMENT)) {
            store(self.words(segment)?, bytes)?;
        }
        Ok(Some(chain))
    }

    pub(super) fn head(&self, first: u32) -> Result<Head> {
        let [length, ticket, deliveries, number] = self.head_words(first)?;
        Ok(Head {
            length: usize::try_from(length.load(Relaxed)).map_err(|_| damaged())?,
            ticket: Some(ticket.load(Relaxed)).filter(|ticket| *ticket != 0),
            deliveries: deliveries.load(Relaxed) as u32,
            number: number.load(Relaxed) as u32,
        })
    }

    pub(super) fn set_head(&self, first: u32, head: Head) -> Result<()> {
        let [length, ticket, deliveries, number] = self.head_words(first)?;
        length.store(head.length as u64, Relaxed);
        ticket.store(head.ticket.unwrap_or(0), Relaxed);
        deliveries.store(u64::from(head.deliveries), Relaxed);
        number.store(u64::from(head.number), Relaxed);
        Ok(())
    }

    fn head_words(&self, first: u32) -> Result<&[AtomicU64; HEAD_WORDS]> {
        self.words(first)?.first_chunk().ok_or_else(damaged)
    }

    /// Puts the first bytes of a chain, up to `most`, behind those in `into`.
    pub(super) fn read_chain(&self, first: u32, most: usize, into: &mut Vec<u8>) -> Result<()> {
        let length = self.head(first)?.length;
        let segments = self.chain(first)?;
        if length > segments.len().saturating_mul(SEGMENT) {
            return Err(damaged());
        }
        let mut rest = length.min(most);
        into.reserve(rest);
        let starts = [HEAD_WORDS].into_iter().chain(std::iter::repeat(0));
        for (segment, start) in segments.into_iter().zip(starts) {
            let words = self.words(segment)?.get(start..SEGMENT_WORDS).unwrap_or_default();
            let here = rest.min(size_of_val(words));
            load(words, here, into)?;
            rest -= here;
        }
        if rest > 0 { Err(damaged()) } else { Ok(()) }
    }
}
