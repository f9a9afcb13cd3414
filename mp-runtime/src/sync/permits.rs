//! What a [`Semaphore`](super::Semaphore) does: permits that are had and those to be had, changed as one step for whoever looks after a death.

use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Release, SeqCst},
};

use super::death::{self, Look};
use crate::{
    error::{Error, Result},
    fault,
    shm::{arena::Shared, layouts::SemaphorePart},
    sys::{
        futex,
        poll::Deadline,
        robust_mutex::{Held, Locked},
    },
};

/// The most permits that there can be, as in Python.
pub(super) const MOST: u32 = i32::MAX.cast_unsigned();

/// What is done with the numbers. What is known of who has permits is in the arena, beside the block: the same `shared`.
impl SemaphorePart {
    /// Locks the numbers. If the last one who did died halfway, they are made to agree.
    pub(super) fn numbers(&self, shared: &Shared<Self>) -> Result<Held<'_>> {
        let locked = self.mutex.lock_within_the_library(Deadline::NEVER);
        match locked.map_err(|error| Error::os("lock a semaphore", error))? {
            Locked::Yes => Ok(Held(&self.mutex)),
            Locked::OwnerDied => {
                let numbers = Held(&self.mutex);
                self.end_change(shared)?;
                self.mutex.mark_consistent();
                Ok(numbers)
            }
            other => Err(Error::protocol(format!("a semaphore cannot be locked: {other:?}"))),
        }
    }

    /// Changes a stake, and the permits by as much: as one step, for whoever looks after a death.
    fn change(&self, (address, stake): (u32, &AtomicU32), new_stake: u32) {
        let all = self.permits.load(Acquire).saturating_add(stake.load(Acquire));
        self.journal.store(u64::from(address) << 32 | u64::from(all), Release);
        fault::point_named("permit-journaled");
        stake.store(new_stake, Release);
        fault::point_named("permit-staked");
        self.permits.store(self.rest(all, new_stake), Release);
        fault::point_named("permit-changed");
        self.journal.store(0, Release);
    }

    /// Ends the change of one who died in it. It was made if the stake was changed; so the permits are all but the stake, whatever that is
    /// now. If its record is gone, or has become another's, which is only done with one without a stake, they are all.
    fn end_change(&self, shared: &Shared<Self>) -> Result<()> {
        let journal = self.journal.load(Acquire);
        if journal != 0 {
            let stake = shared.block().stake_at((journal >> 32) as u32)?;
            self.permits.store(self.rest(journal as u32, stake), Release);
            self.journal.store(0, Release);
        }
        Ok(())
    }

    /// How many permits there are if there are so many together with a stake: never more than the bound.
    fn rest(&self, all: u32, stake: u32) -> u32 {
        let most = match self.bound.load(Acquire) {
            0 => MOST,
            bound => bound,
        };
        all.saturating_sub(stake).min(most)
    }

    fn try_take(&self, shared: &Shared<Self>) -> Result<bool> {
        let _numbers = self.numbers(shared)?;
        if self.permits.load(Acquire) == 0 {
            return Ok(false);
        }
        let stake = shared.block().stake();
        self.change((shared.block().stake_address(), stake), stake.load(Acquire) + 1);
        Ok(true)
    }

    /// Takes a permit. Returns whether there was one in time.
    pub(super) fn take(&self, shared: &Shared<Self>, deadline: Deadline) -> Result<bool> {
        if self.try_take(shared)? {
            return Ok(true);
        }
        if deadline.is_over() {
            return Ok(self.take_from_the_dead(shared)? && self.try_take(shared)?);
        }
        // One waits for a permit, the others for its turn: should it be killed, the kernel wakes the next. Should it be
        // stopped, the others look for themselves now and then.
        loop {
            let turn = self.turn.lock_within_the_library(death::next_look(deadline));
            match turn.map_err(|error| Error::os("lock a semaphore", error))? {
                Locked::Yes | Locked::OwnerDied => break,
                Locked::TimedOut if self.try_take(shared)? => return Ok(true),
                Locked::TimedOut if deadline.is_over() => return Ok(false),
                Locked::TimedOut => {}
                other => return Err(Error::protocol(format!("a semaphore cannot be locked: {other:?}"))),
            }
        }
        let _turn = Held(&self.turn);
        self.take_from_the_dead(shared)?;
        loop {
            let seen = self.changes.load(SeqCst);
            self.waits.store(1, SeqCst);
            if self.try_take(shared)? {
                return Ok(true);
            }
            if deadline.is_over() {
                return Ok(false);
            }
            if death::sleep(&self.changes, seen, deadline) == Look::Now {
                self.take_from_the_dead(shared)?;
            }
        }
    }

    /// Adds a permit.
    pub(super) fn give(&self, shared: &Shared<Self>) -> Result<()> {
        let numbers = self.numbers(shared)?;
        let (permits, bound) = (self.permits.load(Acquire), self.bound.load(Acquire));
        if permits >= MOST || (bound != 0 && permits >= bound) {
            return Err(Error::invalid("the semaphore was released more often than it was acquired"));
        }
        self.permits.store(permits + 1, Release);
        self.announce(numbers);
        Ok(())
    }

    /// Gives a permit of this process back.
    pub(super) fn give_back(&self, shared: &Shared<Self>) -> Result<()> {
        let numbers = self.numbers(shared)?;
        let stake = shared.block().stake();
        self.change((shared.block().stake_address(), stake), stake.load(Acquire).saturating_sub(1));
        self.announce(numbers);
        Ok(())
    }

    /// Gives the permits of those back who have died. Returns whether there were any.
    fn take_from_the_dead(&self, shared: &Shared<Self>) -> Result<bool> {
        let numbers = self.numbers(shared)?;
        let mut found = false;
        shared.block().stakes_of_the_dead(|address, stake| {
            self.change((address, stake), 0);
            found = true;
        })?;
        if found {
            self.announce(numbers);
        }
        Ok(found)
    }

    /// There may be a permit: wakes whose turn it is.
    fn announce(&self, numbers: Held<'_>) {
        fault::point_named("permit-to-be-announced");
        // Nobody waits, and who begins to from now on sees the permit: it looks with this lock held.
        if self.waits.load(SeqCst) == 0 {
            return;
        }
        // In this order: who begins to wait in between sees the change, and what it says is not taken for an earlier wait.
        self.waits.store(0, SeqCst);
        self.changes.fetch_add(1, SeqCst);
        drop(numbers);
        fault::point_named("permit-before-wake");
        futex::wake(&self.changes, 1);
    }
}
