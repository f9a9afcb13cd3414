//! Why a lock was not taken, or was taken after a death.

use std::fmt;

use super::Error;

/// Why a lock was not taken, or that it was taken after its holder died.
///
/// # Examples
///
/// Whoever does not mind takes it as it is:
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let lock = mp::Lock::new()?;
/// let guard = lock.lock().or_else(mp::LockError::recover)?;
/// # drop(guard);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError<G> {
    /// A process died while it held the lock: what the lock protects may be half changed. The caller holds the lock now,
    /// by the guard in here, and decides: put things in order and call the guard's `mark_consistent`, or leave it; the lock
    /// then says so to the next one too.
    OwnerDied(G),
    /// Somebody else held it all the time.
    TimedOut,
    /// The calling thread holds it already, and would wait for itself.
    WouldDeadlock,
    /// The calling thread holds 1900 locks. The kernel looks at no more than 2048 when a thread dies: the locks beyond would be
    /// held for ever.
    TooMany,
    /// The system lacks what a lock needs.
    Os(Error),
}

/// The guard of a lock that may have been left by a process that died: of a [`Lock`](crate::Lock), an [`RLock`](crate::RLock) or an
/// [`Array`](crate::Array).
pub trait RobustGuard {
    /// Says that what the lock protects is in order again: the next taker hears nothing of the death any more.
    fn mark_consistent(&self);
}

impl<G: RobustGuard> LockError<G> {
    /// Takes the lock as it is if its holder has died, and says that all is well.
    ///
    /// # Errors
    ///
    /// This error, if the lock is not held.
    pub fn recover(self) -> Result<G, Self> {
        match self {
            Self::OwnerDied(guard) => {
                guard.mark_consistent();
                Ok(guard)
            }
            other => Err(other),
        }
    }
}

impl<G> LockError<G> {
    /// The guard, if the lock is held now all the same.
    #[must_use]
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::OwnerDied(guard) => Some(guard),
            _ => None,
        }
    }

    /// The same with another guard.
    pub(crate) fn map<H>(self, change: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::OwnerDied(guard) => LockError::OwnerDied(change(guard)),
            Self::TimedOut => LockError::TimedOut,
            Self::WouldDeadlock => LockError::WouldDeadlock,
            Self::TooMany => LockError::TooMany,
            Self::Os(error) => LockError::Os(error),
        }
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnerDied(_) => {
                "a process died while it held the lock: what the lock protects may be half changed; \
                 `LockError::OwnerDied` has the guard, and `mark_consistent` says that all is well again"
            }
            Self::TimedOut => "the lock was held by another all the time",
            Self::WouldDeadlock => {
                "this thread holds the lock already; use an `RLock` if it should be able to take it again"
            }
            Self::TooMany => "this thread holds 1900 locks, and the kernel would not release more when it dies",
            Self::Os(error) => return error.fmt(f),
        })
    }
}

impl<G: fmt::Debug> std::error::Error for LockError<G> {}
