//! Permits, counted.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicU32,
            Ordering::{Acquire, Release, SeqCst},
        },
    },
    time::Duration,
};

use super::{
    death::{self, Look},
    handle,
    lock::Held,
};
use crate::{
    error::{Error, Result},
    fault,
    shm::{arena::Shared, layouts::SemaphorePart},
    sys::{futex, poll::Deadline, robust_mutex::Locked},
};

/// The most permits that there can be, as in Python.
const MOST: u32 = i32::MAX.cast_unsigned();

/// A number of permits that processes and threads take and give back: Python's `Semaphore`.
///
/// Clones, and what arrives where it is sent, are the same semaphore. [`acquire`](Self::acquire) returns a guard that gives the permit
/// back, in whatever thread it is dropped. **If a process is killed, or ends in any other way, while it has guards, their permits
/// come back**: at once for whoever asks next, and within about a tenth of a second for those who wait already. What does not come
/// back is a permit whose guard was [forgotten](SemaphoreGuard::forget): that is how a permit is used up for good, or given
/// back by another with [`release`](Self::release), as a signal. It is not fair: who comes may take a permit before those who wait.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn fetch(at_a_time: mp::Semaphore) -> mp::Result<()> {
///     let _permit = at_a_time.acquire()?;
///     // Never more than two of us are here.
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let two = mp::Semaphore::new(2)?;
/// let children: Vec<_> = (0..4).map(|_| mp::spawn(fetch, (two.clone(),))).collect::<Result<_, _>>()?;
/// for child in children {
///     child.join()??;
/// }
/// assert_eq!(two.value(), 2);
/// # Ok(())
/// # }
/// ```
pub struct Semaphore {
    shared: Arc<Shared<SemaphorePart>>,
}

handle!(Semaphore, SemaphorePart);

impl Semaphore {
    /// A new semaphore of so many permits. Python's default is 1.
    ///
    /// # Errors
    ///
    /// More than 2³¹-1 permits; others as [`Lock::new`](crate::Lock::new).
    pub fn new(permits: u32) -> Result<Self> {
        if permits > MOST {
            return Err(Error::invalid(format!("a semaphore has at most {MOST} permits, not {permits}")));
        }
        let shared: Shared<SemaphorePart> = Shared::new(0)?;
        shared.permits.store(permits, Release);
        Ok(Self::from_shared(Arc::new(shared)))
    }

    /// Takes a permit; blocks until there is one.
    ///
    /// # Errors
    ///
    /// Only if the shared memory is damaged, or the system lacks what a lock needs.
    pub fn acquire(&self) -> Result<SemaphoreGuard<'_>> {
        self.acquire_by(Deadline::NEVER)
    }

    /// Takes a permit if there is one now.
    ///
    /// # Errors
    ///
    /// [`is_timed_out`](Error::is_timed_out): there is none. Others as [`acquire`](Self::acquire).
    pub fn try_acquire(&self) -> Result<SemaphoreGuard<'_>> {
        self.acquire_by(Deadline::after(Duration::ZERO))
    }

    /// Takes a permit; blocks until there is one, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`is_timed_out`](Error::is_timed_out): there was none for this one. Others as [`acquire`](Self::acquire).
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<SemaphoreGuard<'_>> {
        self.acquire_by(Deadline::after(timeout))
    }

    /// Adds a permit, be it one more than there ever were. Wakes one who waits.
    ///
    /// # Errors
    ///
    /// More than 2³¹-1 permits, or more than the bound of a [`BoundedSemaphore`]; others as [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// A signal from one to another:
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn ring(bell: mp::Semaphore) -> mp::Result<()> {
    ///     bell.release()
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let bell = mp::Semaphore::new(0)?;
    /// let child = mp::spawn(ring, (bell.clone(),))?;
    /// bell.acquire()?.forget(); // heard; nothing to give back
    /// child.join()??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn release(&self) -> Result<()> {
        self.shared.give(&self.shared)
    }

    /// How many permits are there to be taken, which may have changed when this returns. Python's `get_value()`. Those of
    /// processes that have died are counted when somebody has missed them.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.shared.permits.load(Acquire)
    }

    /// Whether there is no permit to be taken. Python's `locked()` (3.14).
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.value() == 0
    }

    fn acquire_by(&self, deadline: Deadline) -> Result<SemaphoreGuard<'_>> {
        if self.shared.take(&self.shared, deadline)? {
            Ok(SemaphoreGuard { semaphore: self })
        } else {
            Err(Error::timed_out("there was no permit of the semaphore in the given time"))
        }
    }

    fn from_shared(shared: Arc<Shared<SemaphorePart>>) -> Self {
        Self { shared }
    }

    fn received(shared: Arc<Shared<SemaphorePart>>) -> Result<Self> {
        Ok(Self::from_shared(shared))
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("value", &self.value()).finish_non_exhaustive()
    }
}

/// A semaphore that never has more permits than in the beginning: Python's `BoundedSemaphore`.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let rooms = mp::BoundedSemaphore::new(1)?;
/// rooms.acquire()?.forget();
/// rooms.release()?;
/// assert!(rooms.release().unwrap_err().is_invalid_input()); // Python's ValueError
/// # Ok(())
/// # }
/// ```
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct BoundedSemaphore(Semaphore);

impl BoundedSemaphore {
    /// A new semaphore of so many permits, and never more.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::new`]; also for no permits at all.
    pub fn new(permits: u32) -> Result<Self> {
        if permits == 0 {
            return Err(Error::invalid("a semaphore that is bounded by no permits can never be acquired"));
        }
        let semaphore = Semaphore::new(permits)?;
        semaphore.shared.bound.store(permits, Release);
        Ok(Self(semaphore))
    }
}

/// All that a semaphore can do; [`release`](Semaphore::release) is an error beyond the bound.
impl std::ops::Deref for BoundedSemaphore {
    type Target = Semaphore;

    fn deref(&self) -> &Semaphore {
        &self.0
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = self.0.shared.bound.load(Acquire);
        f.debug_struct("BoundedSemaphore").field("value", &self.value()).field("bound", &bound).finish()
    }
}

/// A permit; gives it back when dropped.
#[must_use = "the permit is given back at once if its guard is dropped"]
#[derive(Debug)]
pub struct SemaphoreGuard<'a> {
    semaphore: &'a Semaphore,
}

impl SemaphoreGuard<'_> {
    /// Keeps the permit for good: it comes back neither by a drop nor by the end of this process, only by somebody's
    /// [`release`](Semaphore::release).
    pub fn forget(self) {
        let part = &self.semaphore.shared;
        if part.block().is_own()
            && let Ok(_numbers) = part.numbers(part)
        {
            let stake = part.block().stake();
            stake.store(stake.load(Acquire).saturating_sub(1), Release);
        }
        std::mem::forget(self);
    }
}

impl Drop for SemaphoreGuard<'_> {
    fn drop(&mut self) {
        let part = &self.semaphore.shared;
        // In the child of a `fork` it is the parent's.
        if part.block().is_own() {
            // Fails only where the memory is damaged; then nothing is known of permits.
            part.give_back(part).ok();
        }
    }
}

/// What is done with the numbers. What is known of who has permits is in the arena, beside the block: the same `shared`.
impl SemaphorePart {
    /// Locks the numbers. If the last one who did died halfway, they are made to agree.
    fn numbers(&self, shared: &Shared<Self>) -> Result<Held<'_>> {
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
    fn take(&self, shared: &Shared<Self>, deadline: Deadline) -> Result<bool> {
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
    fn give(&self, shared: &Shared<Self>) -> Result<()> {
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
    fn give_back(&self, shared: &Shared<Self>) -> Result<()> {
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
