//! Items that are taken out of a queue for a time: they stay in its memory until they are done, and go to another if their holder dies.

use std::{
    sync::atomic::Ordering::{Relaxed, SeqCst},
    time::Duration,
};

use super::{
    chain::{Chain, Head},
    core::Core,
    end::{Attempt, End},
    get::Next,
    lane,
    place::{Place, between},
    space::Note,
    stop::Stop,
};
use crate::{
    codec::{HEADER, Message, announced_fds},
    error::Result,
    fault,
    ipc::message::kind,
    sys::{futex, poll::Deadline, recvmsg::Arrived},
};

/// How often to look who has died.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// An item that was taken out.
pub(super) struct Held {
    /// The chain that it lies in.
    pub(super) first: u32,
    pub(super) deliveries: u32,
    pub(super) message: Result<Message, Stop>,
}

impl Core {
    /// How many items were put and are not done.
    pub(super) fn unfinished(&self) -> u32 {
        loop {
            // In this order: an item that is taken out meanwhile counts twice, not never.
            let (got, put) = (self.got_number(), self.put_number());
            let unfinished = between(got, put).saturating_add(self.part().out.load(SeqCst));
            // One that was done meanwhile may have left another behind, which was put before.
            if unfinished > 0 || self.put_number() == put {
                return unfinished;
            }
        }
    }

    /// Gives items back whose holders have died. Without any lock.
    pub(super) fn take_from_the_dead(&self) -> Result<()> {
        if !self.is_out() {
            return Ok(());
        }
        self.space()?.sweep()?;
        // If one of them died with a lock: it is found here.
        drop(self.lock(&self.part().puts)?);
        drop(self.lock(&self.part().gets)?);
        Ok(())
    }

    /// Counts a chain as one of this process's.
    fn stake_one(&self) {
        self.block().stake().fetch_add(1, Relaxed);
        fault::point_named("queue-hold-staked");
    }

    /// Says that the item in a chain is this process's.
    fn hold(&self, first: u32, head: Head) -> Result<()> {
        self.set_head(first, Head { deliveries: head.deliveries.saturating_add(1), ..head })?;
        let next = self.note(first)?.next();
        self.set_note(first, Note::Held { owner: self.block().stake_address(), next })
    }

    /// An item that came back, if there is one. With the lock of those who get.
    fn take_returned(&self) -> Result<Option<(u32, Head)>> {
        let space = self.space()?;
        for first in 0..self.used() {
            if matches!(self.note(first)?, Note::Returned { .. }) {
                let head = self.head(first)?;
                self.stake_one();
                self.hold(first, head)?;
                fault::point_named("queue-returned-held");
                let _count = self.part().returned.fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1));
                return Ok(Some((first, head)));
            }
        }
        self.part().returned.store(0, SeqCst);
        drop(space);
        Ok(None)
    }

    /// An item is done: its chain, which this process holds, is free.
    fn finish_held(&self, first: u32) -> Result<()> {
        let segments = self.chain(first)?;
        {
            let space = self.space()?;
            // Before anything else: who dies from here on has done it.
            self.set_note(first, Note::Link { next: None })?;
            fault::point_named("queue-item-done");
            for segment in segments {
                let is_warm = space.is_short_of_warm();
                if !is_warm {
                    self.forget(segment)?;
                }
                space.put(segment, is_warm)?;
            }
            fault::point_named("queue-item-freed");
            let _count = self.part().out.fetch_update(SeqCst, SeqCst, |count| count.checked_sub(1));
        }
        self.disown();
        Ok(())
    }

    /// The tickets of all items that are out.
    fn tickets_out(&self) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        for first in 0..self.used() {
            if matches!(self.note(first)?, Note::Held { .. } | Note::Returned { .. }) {
                found.extend(self.head(first)?.ticket);
            }
        }
        Ok(found)
    }

    /// An item goes back to the others.
    pub(super) fn give_back(&self, first: u32) -> Result<()> {
        {
            let _space = self.space()?;
            let next = self.note(first)?.next();
            self.part().returned.fetch_add(1, SeqCst);
            self.set_note(first, Note::Returned { next })?;
        }
        self.disown();
        Ok(())
    }

    /// Waits until all items are done. Returns whether they were in time.
    pub(super) fn join(&self, deadline: Deadline) -> Result<bool> {
        let joins = &self.part().joins;
        loop {
            let seen = joins.load(SeqCst);
            if self.unfinished() == 0 {
                return Ok(true);
            }
            if deadline.is_over() {
                return Ok(false);
            }
            futex::wait(joins, seen, Some(deadline.rest_at_most(LOOK)));
            self.take_from_the_dead()?;
        }
    }

    /// All are done: those who wait for that go on.
    pub(super) fn tell_joiners(&self) {
        if self.unfinished() == 0 {
            self.part().joins.fetch_add(1, SeqCst);
            futex::wake(&self.part().joins, u32::MAX);
        }
    }
}

impl End {
    /// Takes an item out if there is one.
    pub(super) fn try_hold(&self) -> Result<Attempt<Held>, Stop> {
        let core = self.core();
        let gets = core.lock(&core.part().gets)?;
        if core.has_returned()
            && let Some((first, head)) = core.take_returned()?
        {
            let fds = self.kept_fds(first, head)?;
            drop(gets);
            return Ok(Attempt::Done(self.read_held(first, head, fds)));
        }
        let place = Place::unpack(core.part().get_front.place.load(Relaxed))?;
        let Some(next) = core.next(place)? else {
            drop(gets);
            self.mind_watchers()?;
            return Ok(Attempt::NotYet);
        };
        let Some((first, head, fds)) = self.hold_next(&next)? else { return Ok(Attempt::Scarce) };
        drop(gets);
        Ok(Attempt::Done(self.read_held(first, head, fds)))
    }

    /// With the lock of those who get. None: there is no room for a copy.
    fn hold_next(&self, next: &Next) -> Result<Option<(u32, Head, Fds)>, Stop> {
        let core = self.core();
        let record = next.record;
        let head = Head { length: record.length, ticket: record.ticket, deliveries: 0, number: next.place.number };
        let mut chain = None;
        if record.far.is_none() {
            let mut bytes = Vec::with_capacity(record.length);
            record.read(core.words(next.place.segment)?, next.place.word, &mut bytes)?;
            chain = core.fill(head, &bytes)?;
            if chain.is_none() {
                return Ok(None);
            }
        }
        let Some(first) = record.far.or(chain.as_ref().map(Chain::first)) else { return Ok(None) };
        let mut fds = Ok(Vec::new());
        if let Some(ticket) = record.ticket {
            fds = lane::find(self.lane(), ticket, self.count_of_fds(first)?);
            if let Err(failed @ Stop::Failed(_)) = fds {
                return Err(failed);
            }
        }
        match chain {
            // It is counted as one of this process's already.
            Some(chain) => drop(chain.keep()),
            None => core.stake_one(),
        }
        core.hold(first, head)?;
        core.part().out.fetch_add(1, SeqCst);
        fault::point_named("queue-item-held");
        self.leave(next)?;
        if let Some(ticket) = record.ticket {
            // Not before: what has been got and is not out any more goes.
            core.part().gets.tickets.store(ticket, Relaxed);
        }
        Ok(Some((first, head, fds)))
    }

    /// The descriptors of an item that came back.
    fn kept_fds(&self, first: u32, head: Head) -> Result<Fds, Stop> {
        let Some(ticket) = head.ticket else { return Ok(Ok(Vec::new())) };
        match lane::find(self.lane(), ticket, self.count_of_fds(first)?) {
            Err(failed @ Stop::Failed(_)) => {
                // Nobody has had it.
                self.core().set_head(first, head)?;
                self.core().give_back(first)?;
                Err(failed)
            }
            found => Ok(found),
        }
    }

    fn count_of_fds(&self, first: u32) -> Result<usize> {
        let mut start = Vec::new();
        self.core().read_chain(first, HEADER, &mut start)?;
        Ok(start.first_chunk().map_or(0, |head| announced_fds(*head)))
    }

    /// It is out: what goes wrong from here on is said with it.
    fn read_held(&self, first: u32, head: Head, fds: Fds) -> Held {
        let mut bytes = if head.ticket.is_some() { Vec::new() } else { vec![0; HEADER] };
        let read = self.mind_watchers().and_then(|()| self.core().read_chain(first, usize::MAX, &mut bytes));
        let message = read.map_err(Stop::Failed).and_then(|()| match head.ticket {
            None => Ok(Message::plain(kind::VALUE, bytes)),
            Some(_) => fds.and_then(|fds| Message::kept(bytes, fds).map_err(Stop::Item)),
        });
        Held { first, deliveries: head.deliveries.saturating_add(1), message }
    }

    /// An item is done, which this process holds.
    pub(super) fn finish_item(&self, first: u32) -> Result<(), Stop> {
        let core = self.core();
        let has_fds = core.head(first)?.ticket.is_some();
        core.finish_held(first)?;
        let cleaned = if has_fds { self.clean_lane() } else { Ok(()) };
        core.tell_joiners();
        cleaned
    }

    /// Takes the descriptors of items away that are done, as far as no others are before them.
    fn clean_lane(&self) -> Result<(), Stop> {
        let core = self.core();
        let _gets = core.lock(&core.part().gets)?;
        let (last, out) = (core.part().gets.tickets.load(Relaxed), core.tickets_out()?);
        lane::clean(self.lane(), |ticket| ticket > last || out.contains(&ticket))
    }
}

type Fds = Result<Vec<Arrived>, Stop>;
