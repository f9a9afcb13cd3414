//! How an item is got.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{
    chain::Chain,
    core::Core,
    end::{Attempt, End},
    lane,
    place::{Place, number_of},
    record::{Found, MAX_NEAR, Record, look},
    stop::{Stop, damaged},
};
use crate::{
    codec::{HEADER, Message, announced_fds, scratch},
    error::Result,
    fault,
    ipc::message::kind,
    sys::recvmsg::Arrived,
};

/// The most bytes of items that are got together, but for the last of them.
const LARGE: usize = 2 * MAX_NEAR;

/// Where the next item is.
pub(super) struct Next {
    pub(super) place: Place,
    pub(super) record: Record,
    /// The segment that is left for it.
    left: Option<u32>,
}

impl Core {
    /// Whether there is an item; looks at the other side only if it must. With the lock of those who get.
    #[inline]
    fn has_item_at(&self, place: Place) -> bool {
        let gets = &self.part().gets;
        if number_of(gets.seen.load(Relaxed)) != place.number {
            return true;
        }
        let put = self.part().put_front.place.load(SeqCst);
        gets.seen.store(put, Relaxed);
        number_of(put) != place.number
    }

    /// Whether there is no item, so that a lock need not be taken to see it; looks at the other side only if it must.
    #[inline]
    pub(super) fn seems_empty(&self) -> bool {
        let got = self.got_number();
        number_of(self.part().gets.seen.load(Relaxed)) == got && self.put_number() == got
    }

    /// With the lock of those who get.
    #[inline]
    pub(super) fn next(&self, mut place: Place) -> Result<Option<Next>> {
        if !self.has_item_at(place) {
            return Ok(None);
        }
        let mut left = None;
        let mut found = look(self.words(place.segment)?, place.word)?;
        if let Found::Next(segment) = found {
            left = Some(place.segment);
            place = Place { segment, word: 0, ..place };
            found = look(self.words(segment)?, 0)?;
        }
        match found {
            Found::Item(record) => Ok(Some(Next { place, record, left })),
            Found::Next(_) => Err(damaged()),
        }
    }
}

impl End {
    /// Gets an item if there is one.
    #[inline]
    pub(in crate::ipc) fn try_get(&self) -> Result<Attempt<Message>, Stop> {
        let core = self.core();
        let gets = &core.part().gets;
        let held = core.lock(gets)?;
        let place = Place::unpack(core.part().get_front.place.load(Relaxed))?;
        let Some(next) = core.next(place)? else {
            drop(held);
            self.mind_watchers()?;
            return Ok(Attempt::NotYet);
        };
        let mut bytes = scratch::take();
        if !next.record.is_near() {
            let message = self.get_with_more(next, bytes)?;
            drop(held);
            return self.finish(message).map(Attempt::Done);
        }
        bytes.resize(HEADER, 0);
        next.record.read(core.words(next.place.segment)?, next.place.word, &mut bytes)?;
        self.leave(&next)?;
        drop(held);
        self.mind_watchers()?;
        Ok(Attempt::Done(Message::plain(kind::VALUE, bytes)))
    }

    /// The item is got: from here on it is this process's. With the lock of those who get.
    #[inline]
    pub(super) fn leave(&self, next: &Next) -> Result<()> {
        let bell = self.core().get_bell();
        bell.ring(self.control(), next.place.after(next.record.words()))?;
        if let Some(segment) = next.left {
            self.core().free_one(segment)?;
            bell.wake();
        }
        Ok(())
    }

    /// An item that does not lie in the ring with all that belongs to it.
    #[cold]
    fn get_with_more(&self, next: Next, mut bytes: Vec<u8>) -> Result<Incoming, Stop> {
        let core = self.core();
        let record = next.record;
        let framed = record.ticket.is_some();
        if !framed {
            bytes.resize(HEADER, 0);
        }
        match record.far {
            None => record.read(core.words(next.place.segment)?, next.place.word, &mut bytes)?,
            Some(first) if framed => core.read_chain(first, HEADER, &mut bytes)?,
            Some(_) => {}
        }
        let mut fds = Ok(Vec::new());
        if let Some(ticket) = record.ticket {
            let count = bytes.first_chunk().map_or(0, |head| announced_fds(*head));
            fds = lane::look(self.lane(), ticket, count);
            if let Err(error @ Stop::Failed(_)) = fds {
                return Err(error);
            }
        }
        if record.far.is_some() {
            core.block().stake().fetch_add(1, Relaxed);
            fault::point_named("queue-chain-staked");
            bytes.truncate(if framed { 0 } else { HEADER });
        }
        self.leave(&next)?;
        if let Some(first) = record.far {
            // Not before: a chain of the dead that is still in the queue would be swept.
            fault::point_named("queue-chain-left");
            core.own(first)?;
            fault::point_named("queue-chain-taken-out");
        }
        if record.ticket.is_some() && fds.is_ok() {
            fault::point_named("queue-descriptors-left");
            lane::remove(self.lane())?;
            core.get_bell().wake();
        }
        Ok(Incoming { record, bytes, fds })
    }

    /// Reads what was taken out, without any lock.
    #[cold]
    fn finish(&self, incoming: Incoming) -> Result<Message, Stop> {
        let Incoming { record, mut bytes, fds } = incoming;
        if let Some(first) = record.far {
            let chain = Chain::new(self.core(), first);
            self.core().read_chain(first, usize::MAX, &mut bytes)?;
            drop(chain);
            self.core().get_bell().wake();
        }
        self.mind_watchers()?;
        match record.ticket {
            None => Ok(Message::plain(kind::VALUE, bytes)),
            Some(_) => Message::new(bytes, fds?).map_err(Stop::Item),
        }
    }

    /// Gets up to `most` items if there are any. One that does not lie wholly in the ring comes alone.
    pub(super) fn try_get_many(&self, most: usize, into: &mut Got) -> Result<Attempt<()>, Stop> {
        let core = self.core();
        let gets = &core.part().gets;
        let held = core.lock(gets)?;
        let place = Place::unpack(core.part().get_front.place.load(Relaxed))?;
        let Some(mut next) = core.next(place)? else {
            drop(held);
            self.mind_watchers()?;
            return Ok(Attempt::NotYet);
        };
        if !next.record.is_near() {
            let message = self.get_with_more(next, Vec::new())?;
            drop(held);
            into.alone = Some(match self.finish(message) {
                Err(failed @ Stop::Failed(_)) => return Err(failed),
                other => other,
            });
            return Ok(Attempt::Done(()));
        }
        into.bytes.resize(HEADER, 0);
        let words = core.words(next.place.segment)?;
        loop {
            next.record.read(words, next.place.word, &mut into.bytes)?;
            into.ends.push(into.bytes.len() - HEADER);
            let place = next.place.after(next.record.words());
            if into.ends.len() == most || into.bytes.len() >= LARGE || !core.has_item_at(place) {
                break;
            }
            match look(words, place.word)? {
                Found::Item(record) if record.is_near() => (next.place, next.record) = (place, record),
                _ => break,
            }
        }
        self.leave(&next)?;
        drop(held);
        self.mind_watchers()?;
        Ok(Attempt::Done(()))
    }
}

/// An item whose bytes may still lie in segments of their own.
struct Incoming {
    record: Record,
    bytes: Vec<u8>,
    /// An error of kind [`Item`](Stop::Item) is about it alone.
    fds: Result<Vec<Arrived>, Stop>,
}

/// Items that were got together.
#[derive(Debug, Default)]
pub(super) struct Got {
    /// A plain message's: all of them one behind the other.
    pub(super) bytes: Vec<u8>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
    pub(super) alone: Option<Result<Message, Stop>>,
}
