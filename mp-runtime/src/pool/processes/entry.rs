//! What lies in the rings: entries, each a word that says what it is, and bytes.
//!
//! | bits of the word | of tasks | of results |
//! |---|---|---|
//! | 0..20 | how many bytes follow | the same |
//! | 20..40 | the target's number | how many values there are |
//! | 40..48 | flags | [`Kind`] |
//! | 48..63 | how many tasks there are | |
//! | 63 | set | set |
//!
//! Values, and arguments, stand one behind the other as `lengths.rs` says. An entry lies in one piece: where it does not fit before the ring's end
//! there is a word of zero, and it begins at the ring's beginning.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::mailbox::{Position, RING};
use crate::shm::words;

const VALID: u64 = 1 << 63;
const TWENTY_BITS: u32 = (1 << 20) - 1;

/// The bytes begin with the target's name.
pub(super) const NAMED: u8 = 1;
/// The arguments come in a message of their own; its number comes first.
pub(super) const IN_A_MESSAGE: u8 = 2;
/// The worker is to note when it begins.
pub(super) const TIMED: u8 = 4;
/// A test wants it to die with it.
pub(super) const TO_DIE: u8 = 8;
/// A test wants it to take its time: so many nanoseconds.
pub(super) const TO_WAIT: u8 = 16;
/// The worker is to say when it began and when it had ended.
pub(super) const TRACED: u8 = 32;
/// The worker is to say on its standard error what it begins; the index comes first.
pub(super) const TAGGED: u8 = 64;

/// Arguments or a value that are larger come in a message of their own.
pub(super) const MOST: usize = 16 << 10;
/// No more bytes are put into one entry than make it so large.
pub(super) const FULL: usize = 8 << 10;
/// No more tasks are put into one entry.
pub(super) const MOST_TASKS: u32 = (1 << 15) - 1;
const _: () = assert!((MOST + FULL) * 2 <= RING as usize * 8);

const WORD: usize = size_of::<u64>();

/// What a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Encoded values.
    Values = 1,
    /// The value comes in a message of its own.
    Message = 2,
    /// An encoded [`Panic`](crate::Panic).
    Panicked = 3,
    /// The function returned this exit code.
    Exit = 4,
    /// The arguments do not decode, the target is not known: the text.
    Refused = 5,
    /// The value does not encode: the text.
    Unencodable = 6,
    /// The worker is ready for tasks. It is the result of none.
    Ready = 7,
    /// The worker cannot be made ready: the text. It is the result of none.
    Unready = 8,
    /// When the task ran whose result comes next.
    Span = 9,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [
            Self::Values,
            Self::Message,
            Self::Panicked,
            Self::Exit,
            Self::Refused,
            Self::Unencodable,
            Self::Ready,
            Self::Unready,
            Self::Span,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// The word before the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: u32,
    /// The target's number, or how many values there are.
    pub(super) number: u32,
    /// The flags of tasks, or the kind of results.
    pub(super) mark: u8,
    /// How many tasks there are.
    pub(super) tasks: u32,
}

impl Head {
    pub(super) fn tasks(length: usize, number: u32, flags: u8, tasks: u32) -> Self {
        Self { length: length as u32, number, mark: flags, tasks }
    }

    pub(super) fn result(length: usize, kind: Kind, values: u32) -> Self {
        Self { length: length as u32, number: values, mark: kind as u8, tasks: 0 }
    }

    pub(super) fn kind(self) -> Option<Kind> {
        Kind::of(self.mark)
    }

    #[inline]
    pub(super) fn word(self) -> u64 {
        let (length, number) = (u64::from(self.length & TWENTY_BITS), u64::from(self.number & TWENTY_BITS));
        VALID | length | number << 20 | u64::from(self.mark) << 40 | u64::from(self.tasks & MOST_TASKS) << 48
    }

    fn of(word: u64) -> Option<Self> {
        let twenty_bits = |word: u64| word as u32 & TWENTY_BITS;
        (word & VALID != 0).then(|| Self {
            length: twenty_bits(word),
            number: twenty_bits(word >> 20),
            mark: (word >> 40) as u8,
            tasks: (word >> 48) as u32 & MOST_TASKS,
        })
    }

    /// How many words it and its bytes take.
    #[inline]
    pub(super) fn words(self) -> u32 {
        words_for(self.length as usize)
    }
}

/// How many words an entry of so many bytes takes.
#[inline]
pub(super) fn words_for(bytes: usize) -> u32 {
    1 + bytes.div_ceil(WORD) as u32
}

/// What lies at a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) head: Head,
    /// Where it begins.
    pub(super) at: Position,
    /// Where the next entry begins.
    pub(super) next: Position,
}

/// Where an entry of that many words begins that comes next at `at`.
#[inline]
pub(super) fn place(at: Position, words: u32) -> Position {
    if words <= at.to_the_end() { at } else { at.plus(at.to_the_end()) }
}

/// Says that nothing more comes before the ring's end.
pub(super) fn go_round(ring: &[AtomicU64], at: Position) -> Option<()> {
    ring.get(at.index())?.store(0, Relaxed);
    Some(())
}

/// Writes an entry where there is room. Its bytes come in two parts. Returns where the next one begins.
pub(super) fn write(ring: &[AtomicU64], at: Position, head: Head, before: &[u8], bytes: &[u8]) -> Option<Position> {
    let start = place(at, head.words());
    if start != at {
        go_round(ring, at)?;
    }
    let (first, behind) = ring.get(start.index()..)?.split_first()?;
    first.store(head.word(), Relaxed);
    if before.is_empty() {
        words::store(behind, bytes)?;
    } else {
        words::store(behind, &[before, bytes].concat())?;
    }
    Some(start.plus(head.words()))
}

/// Looks at what lies there. The other side may have written anything.
pub(super) fn look(ring: &[AtomicU64], at: Position) -> Option<Found> {
    let word = ring.get(at.index())?.load(Relaxed);
    let (at, word) = match word {
        0 => (at.plus(at.to_the_end()), ring.first()?.load(Relaxed)),
        word => (at, word),
    };
    let head = Head::of(word)?;
    let words = head.words();
    (words <= at.to_the_end()).then(|| Found { head, at, next: at.plus(words) })
}

impl Found {
    /// Puts its bytes behind those in `into`.
    pub(super) fn read(self, ring: &[AtomicU64], into: &mut Vec<u8>) -> Option<()> {
        read_part(ring, self.at, 0, self.head.length as usize, into)
    }
}

/// Puts `length` bytes of the entry at `at`, from `start` on, behind those in `into`.
pub(super) fn read_part(
    ring: &[AtomicU64],
    at: Position,
    start: usize,
    length: usize,
    into: &mut Vec<u8>,
) -> Option<()> {
    if length == 0 {
        return Some(());
    }
    let (words_before, bytes_before) = (start / WORD, start % WORD);
    let before = into.len();
    words::load(ring.get(at.index() + 1 + words_before..)?, bytes_before + length, into)?;
    into.drain(before..before + bytes_before);
    Some(())
}
