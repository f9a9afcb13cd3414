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
        let ring = mailbox.result_ring();
        self.append(ring, prefix.get(..prefix_length)?)?;
        self.append(ring, value)?;
        self.written.count += 1;
        mailbox.results().store(self.written.word(), Release);
        Some(())
    }

    #[inline]
    fn append(&mut self, ring: &[AtomicU64], bytes: &[u8]) -> Option<()> {
        let length = self.written.bytes as usize;
        let words = ring.get(self.written.at.index() + 1..)?;
        let mut at = length / WORD;
        let mut filled = 8 * (length % WORD) as u32;
        for chunk in bytes.chunks(WORD) {
            let value = chunk.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            self.last |= value << filled;
            filled += 8 * chunk.len() as u32;
            if filled >= 64 {
                words.get(at)?.store(self.last.to_le(), Relaxed);
                at += 1;
                filled -= 64;
                let used = 8 * chunk.len() as u32 - filled;
                self.last = value.checked_shr(used).unwrap_or(0);
            }
        }
        if filled > 0 {
            words.get(at)?.store(self.last.to_le(), Relaxed);
        }
        self.written.bytes += bytes.len() as u32;
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
