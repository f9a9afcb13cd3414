//! The parent's end of the ring of results.

use std::{mem, sync::atomic::Ordering::SeqCst};

use super::{
    desk::Desk,
    entry::{self, Head, Kind},
    mailbox::{Mailbox, Position, RING, Written},
};

/// How far results have been read.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Of the entry that is being read: what has been taken of it.
    read: Written,
    bytes: Vec<u8>,
    /// What comes is not looked at any more.
    is_shut: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    /// So many values, now in the inbox.
    Values(u32),
    /// Something else; its bytes are in the inbox.
    Other(Kind),
    /// What nobody would write.
    Nonsense,
}

impl Inbox {
    fn next(&mut self, mailbox: &Mailbox, most: u32) -> Option<Answer> {
        let ring = mailbox.result_ring();
        let written = mailbox.written();
        self.bytes.clear();
        loop {
            if self.read.at == written.at {
                return self.values(mailbox, written, most);
            }
            if written.at.since(self.read.at) > RING {
                // Past the end: it would go round for ever.
                return None;
            }
            let Written { at, count, .. } = self.read;
            let word = ring.get(at.index())?.load(SeqCst);
            if word == 0 && count == 0 {
                // It goes on at the beginning.
                self.read = Written { at: at.plus(at.to_the_end()), ..Written::default() };
                continue;
            }
            let found = entry::look(ring, at)?;
            let Head { length, number, .. } = found.head;
            match found.head.kind()? {
                Kind::Values => {
                    let all = Written { at, count: number, bytes: length };
                    let answer = if all == self.read { None } else { Some(self.values(mailbox, all, most)?) };
                    self.read = Written { at: found.next, ..Written::default() };
                    if let Some(answer) = answer {
                        return Some(answer);
                    }
                }
                other => {
                    found.read(ring, &mut self.bytes)?;
                    self.read = Written { at: found.next, ..Written::default() };
                    return Some(Answer::Other(other));
                }
            }
        }
    }

    /// What is in an entry of values and was not taken yet.
    fn values(&mut self, mailbox: &Mailbox, now: Written, most: u32) -> Option<Answer> {
        let (count, bytes) = (now.count.checked_sub(self.read.count)?, now.bytes.checked_sub(self.read.bytes)?);
        if count == 0 {
            return Some(Answer::Nothing);
        }
        if count > most {
            return None;
        }
        entry::read_part(mailbox.result_ring(), now.at, self.read.bytes as usize, bytes as usize, &mut self.bytes)?;
        self.read = now;
        Some(Answer::Values(count))
    }
}

impl Desk {
    /// Whether there are results that were not taken.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        !self.inbox.is_shut && self.mailbox.written() != self.inbox.read
    }

    /// Whether there are so many that the worker may be waiting for room.
    #[inline]
    pub(super) fn may_lack_room(&self) -> bool {
        self.mailbox.written().at.since(self.inbox.read.at) > RING / 2
    }

    /// Takes the next results off the ring.
    pub(super) fn next_answer(&mut self) -> Answer {
        let most = self.count() as u32;
        self.inbox.next(&self.mailbox, most).unwrap_or(Answer::Nonsense)
    }

    /// The bytes of the last answer.
    pub(super) fn take_inbox(&mut self) -> Vec<u8> {
        mem::take(&mut self.inbox.bytes)
    }

    /// Its memory, for the next one.
    pub(super) fn keep_inbox(&mut self, bytes: Vec<u8>) {
        self.inbox.bytes = bytes;
    }

    /// What was read may be written over.
    pub(super) fn have_read(&mut self) {
        let before = Position::of(self.mailbox.read().load(SeqCst));
        let now = self.inbox.read.at;
        self.mailbox.read().store(now.word(), SeqCst);
        // The worker waits for room only with more than that in the ring.
        if now.since(before) > RING / 4 {
            self.wake();
        }
    }

    /// What comes from here on is not looked at.
    pub(super) fn ignore_answers(&mut self) {
        self.inbox.is_shut = true;
    }

    pub(super) fn ignores_answers(&self) -> bool {
        self.inbox.is_shut
    }
}
