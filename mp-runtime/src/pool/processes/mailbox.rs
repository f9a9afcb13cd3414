//! The memory that the parent and one worker share: a ring of tasks, a ring of results, and the words between them.
//!
//! Each ring has one writer and one reader, so there is no lock that the dead could hold. `README.md` has the argument.
//!
//! | word | who writes | |
//! |---|---|---|
//! | `STATE` | both, by compare-and-swap | [`State`]: which task is begun next, and which are there |
//! | `WANT` | parent, then worker | bit 63: the parent sleeps, and wants to be woken when the task of that number is answered |
//! | `READ` | parent | how far the ring of results has been read |
//! | `REBASE`, two | parent | where tasks go on after some were taken back; the generation, and in the upper half the position. The low bit of the generation says which one |
//! | `RESULTS` | worker | [`Written`] |
//! | `SINCE` | worker | when the task that runs was begun, if the parent wants to know |
//! | `BUSY` | worker | how long it has been busy, in nanoseconds, up to when it last had nothing to do |
//! | `BEGUN` | worker | since when it has been busy now; 0: it is not |
//! | `ASLEEP` | both | first half: 1 while the worker sleeps, or is about to |
//!
//! Tasks are numbered from 0, positions count the words from the beginning of a ring, round after round; modulo 2²⁴ and 2³¹.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::{shm::words::Words, sys::atomic::AtomicU32};

/// How many words are in a ring.
pub(super) const RING: u32 = 1 << 14;
/// A cache line.
const LINE: usize = 8;
const WANT: usize = LINE;
const READ: usize = 2 * LINE;
const REBASE: usize = 2 * LINE + 1;
const STATE: usize = 3 * LINE;
const RESULTS: usize = 4 * LINE;
const SINCE: usize = 4 * LINE + 1;
const BUSY: usize = 4 * LINE + 2;
const BEGUN: usize = 4 * LINE + 3;
const ASLEEP: usize = 5 * LINE;
const TASK_RING: usize = 8 * LINE;
const RESULT_RING: usize = TASK_RING + RING as usize;
pub(super) const LENGTH: usize = RESULT_RING + RING as usize;

/// The parent wants to be woken.
pub(super) const WANTED: u64 = 1 << 63;

/// What is counted modulo a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Count<const BITS: u32>(u32);

/// A position in a ring.
pub(super) type Position = Count<31>;
/// The number of a task. There are never so many in a ring that two of them have the same.
pub(super) type Number = Count<24>;
const _: () = assert!(RING.is_power_of_two() && RING as usize * size_of::<u64>() < 1 << 24);

impl<const BITS: u32> Count<BITS> {
    const MASK: u32 = (1 << BITS) - 1;

    /// What stands in the low bits of a word.
    #[inline]
    pub(super) fn of(word: u64) -> Self {
        Self(word as u32 & Self::MASK)
    }

    #[inline]
    pub(super) fn word(self) -> u64 {
        u64::from(self.0)
    }

    /// So much further.
    #[inline]
    pub(super) fn plus(self, more: u32) -> Self {
        Self(self.0.wrapping_add(more) & Self::MASK)
    }

    /// How far it is from `earlier` to here.
    #[inline]
    pub(super) fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0) & Self::MASK
    }

    /// Whether it is `other`, or comes after it.
    #[inline]
    pub(super) fn has_reached(self, other: Self) -> bool {
        self.since(other) <= Self::MASK / 2
    }
}

impl Position {
    /// Where in the ring that is.
    #[inline]
    pub(super) fn index(self) -> usize {
        (self.0 & (RING - 1)) as usize
    }

    /// How many words there are from here to the ring's end.
    #[inline]
    pub(super) fn to_the_end(self) -> u32 {
        RING - (self.0 & (RING - 1))
    }
}

/// Which tasks are there, in one word, so that the worker begins one, and the parent takes back those that are not begun, at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct State {
    /// The task that is begun next.
    pub(super) next: Number,
    /// The one behind the last that is there.
    pub(super) tail: Number,
    /// How often some were taken back: those that follow have the numbers of those, but lie elsewhere.
    pub(super) generation: u16,
    /// No more will come: the worker ends when it has done what is there.
    pub(super) is_last: bool,
}

impl State {
    /// | bits | |
    /// |---|---|
    /// | 0..24 | `next` |
    /// | 24..48 | `tail` |
    /// | 48..63 | `generation` |
    /// | 63 | `is_last` |
    #[inline]
    pub(super) fn word(self) -> u64 {
        let generation = u64::from(self.generation & GENERATIONS);
        self.next.word() | self.tail.word() << 24 | generation << 48 | u64::from(self.is_last) << 63
    }

    #[inline]
    pub(super) fn of(word: u64) -> Self {
        let (next, tail) = (Number::of(word), Number::of(word >> 24));
        Self { next, tail, generation: (word >> 48) as u16 & GENERATIONS, is_last: word >> 63 != 0 }
    }

    /// The generation after this one.
    pub(super) fn next_generation(self) -> u16 {
        (self.generation + 1) & GENERATIONS
    }
}

pub(super) const GENERATIONS: u16 = (1 << 15) - 1;

/// How far results are written: where the entry begins that is written last, and how many values and bytes are in it. A worker that
/// dies leaves all that it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) at: Position,
    pub(super) count: u32,
    pub(super) bytes: u32,
}

/// More values are not put into one entry.
pub(super) const MOST_VALUES: u32 = (1 << 15) - 1;
/// Nor more bytes.
pub(super) const MOST_BYTES: u32 = (1 << 18) - 1;

impl Written {
    /// | bits | |
    /// |---|---|
    /// | 0..18 | `bytes` |
    /// | 18..33 | `count` |
    /// | 33..64 | `at` |
    #[inline]
    pub(super) fn word(self) -> u64 {
        u64::from(self.bytes & MOST_BYTES) | u64::from(self.count & MOST_VALUES) << 18 | self.at.word() << 33
    }

    #[inline]
    pub(super) fn of(word: u64) -> Self {
        let (bytes, count) = (word as u32 & MOST_BYTES, (word >> 18) as u32 & MOST_VALUES);
        Self { at: Position::of(word >> 33), count, bytes }
    }
}

/// The words, by name.
#[derive(Debug)]
pub(super) struct Mailbox(pub(super) Words);

impl Mailbox {
    #[inline]
    fn at(&self, index: usize) -> &AtomicU64 {
        // All indices are constants below `LENGTH`, which is how long it was made.
        &self.0[index]
    }

    #[inline]
    pub(super) fn want(&self) -> &AtomicU64 {
        self.at(WANT)
    }

    #[inline]
    pub(super) fn read(&self) -> &AtomicU64 {
        self.at(READ)
    }

    /// Says where tasks go on from that generation on.
    pub(super) fn rebase(&self, generation: u16, at: Position) {
        self.at(REBASE + usize::from(generation % 2)).store(u64::from(generation) | at.word() << 32, SeqCst);
    }

    /// Where they go on from that generation on; `None`: there is a later one.
    pub(super) fn rebased(&self, generation: u16) -> Option<Position> {
        let word = self.at(REBASE + usize::from(generation % 2)).load(SeqCst);
        (word as u32 == u32::from(generation)).then(|| Position::of(word >> 32))
    }

    #[inline]
    pub(super) fn state(&self) -> State {
        State::of(self.at(STATE).load(SeqCst))
    }

    /// Changes it, if it is still as it was.
    #[inline]
    pub(super) fn change(&self, from: State, to: State) -> Result<(), State> {
        match self.at(STATE).compare_exchange(from.word(), to.word(), SeqCst, SeqCst) {
            Ok(_) => Ok(()),
            Err(now) => Err(State::of(now)),
        }
    }

    #[inline]
    pub(super) fn results(&self) -> &AtomicU64 {
        self.at(RESULTS)
    }

    #[inline]
    pub(super) fn since(&self) -> &AtomicU64 {
        self.at(SINCE)
    }

    pub(super) fn busy(&self) -> &AtomicU64 {
        self.at(BUSY)
    }

    pub(super) fn begun(&self) -> &AtomicU64 {
        self.at(BEGUN)
    }

    /// How far results are written.
    #[inline]
    pub(super) fn written(&self) -> Written {
        Written::of(self.results().load(SeqCst))
    }

    /// What the worker sleeps on.
    pub(super) fn asleep(&self) -> Option<&AtomicU32> {
        self.0.half(ASLEEP)
    }

    #[inline]
    pub(super) fn task_ring(&self) -> &[AtomicU64] {
        self.0.get(TASK_RING..RESULT_RING).unwrap_or_default()
    }

    #[inline]
    pub(super) fn result_ring(&self) -> &[AtomicU64] {
        self.0.get(RESULT_RING..LENGTH).unwrap_or_default()
    }
}
