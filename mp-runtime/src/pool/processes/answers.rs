//! The worker's end of the ring of results.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};

use super::{
    entry::{self, FULL, Head, Kind},
    mailbox::{MOST_VALUES, Mailbox, Position, RING, Written},
};
use crate::codec::lengths;

const WORD: usize = size_of::<u64>();

/// What was written. Values are added to the last entry, so that each can be seen as soon as it is there, and the parent takes many at once.
#[derive(Debug, Default)]
pub(super) struct Answers {
    written: Written,
    /// The last word, as far as it is full; the first byte is the lowest.
    last: u64,
    /// How far the parent had read when it was last looked.
    read: Position,
}

impl Answers {
    /// Adds a value. `None`: there is no room for it.
    #[inline]
    pub(super) fn value(&mut self, mailbox: &Mailbox, value: &[u8]) -> Option<()> {
        let (prefix, prefix_length) = lengths::prefix(value.len());
        let length = self.written.bytes as usize + prefix_length + value.len();
        let words = entry::words_for(length);
        let is_full = length > FULL || self.written.count >= MOST_VALUES || words > self.written.at.to_the_end();
        if is_full && (self.written.count > 0 || words > self.written.at.to_the_end()) {
            self.finish(mailbox, entry::words_for(prefix_length + value.len()))?;
            return self.value(mailbox, value);
        }
        if !self.has_room(mailbox, words) {
            return None;
        }
        let words = mailbox.result_ring().get(self.written.at.index() + 1..)?;
        for byte in prefix.get(..prefix_length)? {
            self.append(words, u64::from(*byte), 8)?;
        }
        let (whole, rest) = value.as_chunks::<WORD>();
        for chunk in whole {
            self.append(words, u64::from_le_bytes(*chunk), 64)?;
        }
        if !rest.is_empty() {
            self.append(words, few(rest), 8 * rest.len() as u32)?;
        }
        let length = self.written.bytes as usize;
        if !length.is_multiple_of(WORD) {
            // As far as it is full. One that is not begun may be the parent's.
            words.get(length / WORD)?.store(self.last.to_le(), Relaxed);
        }
        self.written.count += 1;
        mailbox.results().store(self.written.word(), Release);
        Some(())
    }

    /// Appends so many bits, whole bytes, with the first one lowest. A word is written when it is full.
    #[inline]
    fn append(&mut self, words: &[AtomicU64], bytes: u64, bits: u32) -> Option<()> {
        let length = self.written.bytes;
        let filled = 8 * (length % WORD as u32);
        self.last |= bytes << filled;
        if filled + bits >= 64 {
            words.get(length as usize / WORD)?.store(self.last.to_le(), Relaxed);
            self.last = bytes.checked_shr(64 - filled).unwrap_or(0);
        }
        self.written.bytes = length + bits / 8;
        Some(())
    }

    /// Ends the last entry, and goes round if there are not so many words behind it.
    fn finish(&mut self, mailbox: &Mailbox, words: u32) -> Option<()> {
        let Written { at, count, bytes } = self.written;
        let mut next = at;
        if count > 0 {
            let head = Head::result(bytes as usize, Kind::Values, count);
            mailbox.result_ring().get(at.index())?.store(head.word(), Relaxed);
            next = at.plus(head.words());
        }
        let start = entry::place(next, words);
        if start != next {
            // One word, which must be the parent's no more.
            if !self.has_room_behind(mailbox, next, 1) {
                return None;
            }
            entry::go_round(mailbox.result_ring(), next)?;
        }
        self.show(mailbox, start);
        Some(())
    }

    /// Writes an entry of its own. `None`: there is no room for it.
    pub(super) fn other(&mut self, mailbox: &Mailbox, kind: Kind, bytes: &[u8]) -> Option<()> {
        let head = Head::result(bytes.len(), kind, 0);
        self.finish(mailbox, head.words())?;
        if !self.has_room(mailbox, head.words()) {
            return None;
        }
        let next = entry::write(mailbox.result_ring(), self.written.at, head, &[], bytes)?;
        self.show(mailbox, next);
        Some(())
    }

    fn show(&mut self, mailbox: &Mailbox, at: Position) {
        self.written = Written { at, count: 0, bytes: 0 };
        self.last = 0;
        mailbox.results().store(self.written.word(), Release);
    }

    /// Whether nothing has been read since it was last found that there is no room.
    pub(super) fn is_unread(&self, mailbox: &Mailbox) -> bool {
        Position::of(mailbox.read().load(SeqCst)) == self.read
    }

    /// Whether so many words may be written from the last entry on.
    #[inline]
    fn has_room(&mut self, mailbox: &Mailbox, words: u32) -> bool {
        self.has_room_behind(mailbox, self.written.at, words)
    }

    #[inline]
    fn has_room_behind(&mut self, mailbox: &Mailbox, at: Position, words: u32) -> bool {
        if at.plus(words).since(self.read) <= RING {
            return true;
        }
        self.read = Position::of(mailbox.read().load(SeqCst));
        at.plus(words).since(self.read) <= RING
    }
}

/// One to seven bytes as a number, the first one lowest: by two reads, which may overlap.
#[inline]
fn few(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (bytes.len() - 4))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        u64::from(u16::from_le_bytes(*first)) | u64::from(u16::from_le_bytes(*last)) << (8 * (bytes.len() - 2))
    } else {
        bytes.first().copied().map_or(0, u64::from)
    }
}
