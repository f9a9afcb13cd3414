//! Permits, counted.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Release},
    },
    time::Duration,
};

use super::{handle, permits::MOST};
use crate::{
    error::{Error, Result},
    shm::{arena::Shared, layouts::SemaphorePart},
    sys::poll::Deadline,
};

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
