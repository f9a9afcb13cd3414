//! Where a side of the queue is: one word, so that an item is put or got by one store.

use super::stop::damaged;
use crate::{error::Result, shm::segments::SEGMENT_WORDS};

const NUMBER_BITS: u32 = 30;
const WORD_BITS: u32 = 14;
const NUMBERS: u32 = 1 << NUMBER_BITS;

/// The most items that a queue can hold, whatever was asked for.
pub(super) const MOST_ITEMS: u32 = NUMBERS - 1;

/// Before which word of which segment, and how many items came before, modulo 2³⁰.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) word: usize,
    pub(super) number: u32,
}

impl Place {
    /// From a word of shared memory, which may be anything.
    #[inline]
    pub(super) fn unpack(packed: u64) -> Result<Self> {
        let word = (packed >> NUMBER_BITS) as usize & ((1 << WORD_BITS) - 1);
        if word >= SEGMENT_WORDS {
            return Err(damaged());
        }
        Ok(Self { segment: (packed >> (NUMBER_BITS + WORD_BITS)) as u32, word, number: number_of(packed) })
    }

    #[inline]
    pub(super) fn pack(self) -> u64 {
        u64::from(self.segment) << (NUMBER_BITS + WORD_BITS)
            | (self.word as u64) << NUMBER_BITS
            | u64::from(self.number)
    }

    /// The place behind an item of so many words.
    #[inline]
    pub(super) fn after(self, words: usize) -> Self {
        Self { word: self.word + words, number: (self.number + 1) % NUMBERS, ..self }
    }
}

/// How many items came before a packed place.
#[inline]
pub(super) fn number_of(packed: u64) -> u32 {
    packed as u32 % NUMBERS
}

/// How many items are between two numbers.
#[inline]
pub(super) fn between(first: u32, last: u32) -> u32 {
    last.wrapping_sub(first) % NUMBERS
}
