//! How an item is put.

use std::{
    os::fd::BorrowedFd,
    sync::atomic::Ordering::{Acquire, Relaxed, SeqCst},
};

use super::{
    chain::{Chain, Head},
    core::Core,
    end::{Attempt, End},
    lane::{self, Refused},
    place::{MOST_ITEMS, Place, between, number_of},
    record::{MAX_NEAR, Record, write_next},
    space::Note,
    stop::Stop,
};
use crate::{error::Result, fault};

/// An item on its way in.
pub(in crate::ipc) struct Outgoing<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fds: &'a [BorrowedFd<'a>],
    /// Where the bytes have been written to, if they are many.
    pub(super) chain: Option<Chain<'a>>,
}

impl Core {
    /// Whether an item more is within the bound.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        self.room(self.put_number()) > 0
    }

    /// How many more items are within the bound, when so many have been put.
    #[inline]
    fn room(&self, put: u32) -> u32 {
        self.most_items().saturating_sub(between(self.got_number(), put))
    }

    /// The most items that there may be.
    #[inline]
    pub(super) fn most_items(&self) -> u32 {
        match self.part().bound.load(Acquire) {
            0 => MOST_ITEMS,
            bound => bound.min(MOST_ITEMS),
        }
    }

    /// Whether there is room; looks at the other side only if it must. With the lock of those who put.
    #[inline]
    fn has_room_at(&self, place: Place) -> bool {
        let puts = &self.part().puts;
        let is_within = |got: u32| between(got, place.number) < self.most_items();
        if is_within(number_of(puts.seen.load(Relaxed))) {
            return true;
        }
        let got = self.part().get_front.place.load(SeqCst);
        puts.seen.store(got, Relaxed);
        is_within(number_of(got))
    }
}

impl End {
    /// Puts an item if there is room.
    pub(in crate::ipc) fn try_put<'a>(&'a self, item: &mut Outgoing<'a>) -> Result<Attempt<()>, Stop> {
        let core = self.core();
        if item.bytes.len() > MAX_NEAR && item.chain.is_none() {
            core.mend()?;
            let head = Head { length: item.bytes.len(), ..Head::default() };
            item.chain = core.fill(head, item.bytes)?;
            if item.chain.is_none() {
                return Ok(Attempt::Scarce);
            }
        }
        let puts = &core.part().puts;
        let held = core.lock(puts)?;
        if core.is_shut() {
            return Err(Stop::Disconnected);
        }
        let mut place = Place::unpack(core.part().put_front.place.load(Relaxed))?;
        if !core.has_room_at(place) {
            drop(held);
            self.mind_watchers()?;
            return Ok(Attempt::NotYet);
        }
        let ticket = puts.tickets.load(Relaxed).wrapping_add(1);
        let record = Record {
            length: item.bytes.len(),
            far: item.chain.as_ref().map(Chain::first),
            ticket: (!item.fds.is_empty()).then_some(ticket),
        };
        let start = place;
        if !self.make_room(&mut place, record)? {
            return Ok(Attempt::Scarce);
        }
        if record.ticket.is_some() {
            puts.tickets.store(ticket, Relaxed);
            let sent = lane::send(self.lane(), ticket, item.fds);
            fault::point_named("queue-descriptors-sent");
            if sent.is_err() && place.segment != start.segment {
                core.space()?.put(place.segment, true)?;
            }
            match sent {
                Ok(()) => {}
                Err(Refused::Gone) => return Err(Stop::Disconnected),
                Err(Refused::Full) => return Ok(Attempt::Scarce),
                Err(Refused::Failed(error)) => return Err(error.into()),
            }
        }
        record.write(core.words(place.segment)?, place.word, item.bytes)?;
        fault::point_named("queue-item-written");
        let chain = item.chain.take();
        if let Some(chain) = &chain {
            let (first, next) = (chain.first(), core.note(chain.first())?.next());
            core.set_head(first, Head { length: record.length, ticket: record.ticket, ..Head::default() })?;
            core.set_note(first, Note::Queued { next })?;
            fault::point_named("queue-chain-queued");
        }
        self.commit(place.after(record.words()))?;
        if let Some(chain) = chain {
            chain.keep();
            core.disown();
        }
        drop(held);
        self.mind_watchers()?;
        Ok(Attempt::Done(()))
    }

    /// Puts as many of the items in `batch` as there is room for, which are [near](MAX_NEAR); returns how many, and counts their bytes.
    pub(super) fn try_put_many(&self, batch: &Batch<'_>, put: &mut usize) -> Result<Attempt<()>, Stop> {
        let core = self.core();
        let puts = &core.part().puts;
        let held = core.lock(puts)?;
        if core.is_shut() {
            return Err(Stop::Disconnected);
        }
        let start = Place::unpack(core.part().put_front.place.load(Relaxed))?;
        let (mut place, first) = (start, *put);
        let mut missing = Attempt::Done(());
        let mut words = core.words(place.segment)?;
        for bytes in batch.items(first) {
            if !core.has_room_at(place) {
                missing = Attempt::NotYet;
                break;
            }
            let record = Record { length: bytes.len(), far: None, ticket: None };
            let segment = place.segment;
            if !self.make_room(&mut place, record)? {
                missing = Attempt::Scarce;
                break;
            }
            if place.segment != segment {
                words = core.words(place.segment)?;
            }
            record.write(words, place.word, bytes)?;
            place = place.after(record.words());
            *put += 1;
        }
        if *put > first {
            self.commit(place)?;
        }
        drop(held);
        self.mind_watchers()?;
        Ok(missing)
    }

    /// Moves on to another segment if the record does not fit. Returns whether there is one.
    #[inline]
    fn make_room(&self, place: &mut Place, record: Record) -> Result<bool> {
        if record.fits(place.word) { Ok(true) } else { self.move_on(place) }
    }

    #[cold]
    fn move_on(&self, place: &mut Place) -> Result<bool> {
        let core = self.core();
        let Some(segment) = core.space()?.take()? else { return Ok(false) };
        fault::point_named("queue-segment-taken");
        write_next(core.words(place.segment)?, place.word, segment)?;
        *place = Place { segment, word: 0, ..*place };
        Ok(true)
    }

    /// From here on all that was written is in the queue.
    #[inline]
    fn commit(&self, place: Place) -> Result<()> {
        if self.core().put_bell().ring(self.control(), place)? {
            self.meet();
        }
        Ok(())
    }
}

/// Items that are put together, one behind the other.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) bytes: &'a [u8],
    /// Where each of them ends.
    pub(super) ends: &'a [usize],
}

impl Batch<'_> {
    /// All from the `first` on.
    fn items(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        let start = first.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.iter().skip(first).scan(start, |start, end| {
            let item = self.bytes.get(*start..*end);
            *start = *end;
            item
        })
    }
}
