//! A lock that its holder can take again.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    handle,
    lock::{describe, take},
};
use crate::{
    error::{LockError, Result, RobustGuard},
    shm::{arena::Shared, layouts::LockPart},
    sys::{poll::Deadline, robust_mutex::RobustMutex},
};

/// A lock that the thread which holds it can take again: Python's `RLock`.
///
/// It is free when as many guards are dropped as were taken. All else is as with [`Lock`](crate::Lock).
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let lock = mp::RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?; // a `Lock` would be an error here
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// # Ok(())
/// # }
/// ```
pub struct RLock {
    shared: Arc<Shared<LockPart>>,
}

handle!(RLock, LockPart);

impl RLock {
    /// A new lock that nobody holds.
    ///
    /// # Errors
    ///
    /// As [`Lock::new`](crate::Lock::new).
    pub fn new() -> Result<Self> {
        Ok(Self::from_shared(Arc::new(Shared::new(0)?)))
    }

    /// Takes it; blocks until no other thread holds it.
    ///
    /// # Errors
    ///
    /// [`LockError::OwnerDied`] has the guard: the lock is taken. All others: it is not.
    pub fn lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(Deadline::NEVER)
    }

    /// Takes it if no other thread holds it now.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`]: another holds it. Others as [`lock`](Self::lock).
    pub fn try_lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(Deadline::after(Duration::ZERO))
    }

    /// Takes it; blocks until no other thread holds it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`]: another held it all the time. Others as [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock_by(Deadline::after(timeout))
    }

    /// Whether anyone holds it, which may have changed when this returns.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.mutex().is_held()
    }

    /// The process that holds it, which may have changed when this returns.
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.mutex().holder()
    }

    fn lock_by(&self, deadline: Deadline) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        let guard = || RLockGuard { lock: self, thread: PhantomData };
        match take(self.mutex(), deadline) {
            Ok(()) => Ok(guard()),
            Err(LockError::WouldDeadlock) => {
                let depth = self.mutex().depth();
                depth.store(depth.load(Relaxed) + 1, Relaxed);
                if self.mutex().died().is_none() { Ok(guard()) } else { Err(LockError::OwnerDied(guard())) }
            }
            Err(error) => Err(error.map(|()| guard())),
        }
    }

    pub(super) fn mutex(&self) -> &RobustMutex {
        &self.shared.mutex
    }

    pub(super) fn shared(&self) -> &Arc<Shared<LockPart>> {
        &self.shared
    }

    pub(super) fn from_shared(shared: Arc<Shared<LockPart>>) -> Self {
        Self { shared }
    }

    fn received(shared: Arc<Shared<LockPart>>) -> Result<Self> {
        Ok(Self::from_shared(shared))
    }
}

/// Says who holds it: `RLock(held by process 4711 (server))`.
impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RLock").field(&format_args!("{}", describe(self.mutex()))).finish()
    }
}

/// Holds an [`RLock`] once; gives that back when dropped, be it by a panic.
#[must_use = "the lock is released at once if its guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    /// The kernel knows the thread that took it.
    thread: PhantomData<*const ()>,
}

impl RLockGuard<'_> {
    /// Says that what the lock protects is in order again after a holder died: the next taker hears nothing of it any more.
    pub fn mark_consistent(&self) {
        self.lock.mutex().mark_consistent();
    }

    pub(super) fn lock(&self) -> &RLock {
        self.lock
    }
}

impl RobustGuard for RLockGuard<'_> {
    fn mark_consistent(&self) {
        self.mark_consistent();
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        self.lock.mutex().unlock_once();
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RLockGuard").field(self.lock).finish()
    }
}
