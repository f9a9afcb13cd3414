//! A lock.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use super::handle;
use crate::{
    error::{Error, LockError, Result, RobustGuard},
    shm::{arena::Shared, layouts::LockPart},
    sys::{
        poll::Deadline,
        robust_mutex::{Locked, RobustMutex},
    },
};

/// A lock between processes and threads: Python's `Lock`.
///
/// Clones, and what arrives where it is sent as an argument or in a message, are the same lock. It lies in shared memory without a name;
/// nothing is left of it when the last handle is gone, however that went. It is not fair: who comes may take it before those
/// who wait.
///
/// If its holder is killed, the next taker gets it at once, as [`LockError::OwnerDied`] with the guard inside, and decides
/// (pthread_mutexattr_setrobust(3) is the same bargain). A panic or a return releases it like any guard. Only its guard releases it,
/// in the thread that took it; taking it twice in one thread is an error ([`LockError::WouldDeadlock`]; see [`RLock`](crate::RLock)).
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn print(lock: mp::Lock, line: u32) -> mp::Result<()> {
///     let _guard = lock.lock()?;
///     println!("line {line}"); // never in the middle of another's
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let lock = mp::Lock::new()?;
/// let children: Vec<_> = (0..3).map(|line| mp::spawn(print, (lock.clone(), line))).collect::<Result<_, _>>()?;
/// for child in children {
///     child.join()??;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Lock {
    shared: Arc<Shared<LockPart>>,
}

handle!(Lock, LockPart);

impl Lock {
    /// A new lock that nobody holds.
    ///
    /// # Errors
    ///
    /// Only for the first thing of its kind in a process, which makes its shared memory: descriptors or memory are used up, or
    /// `/proc` is not there; later, if memory is.
    pub fn new() -> Result<Self> {
        Ok(Self::from_shared(Arc::new(Shared::new(0)?)))
    }

    /// Takes it; blocks until nobody else holds it. Python's `acquire()`.
    ///
    /// # Errors
    ///
    /// [`LockError::OwnerDied`] has the guard: the lock is taken. All others: it is not.
    #[inline]
    pub fn lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.lock_by(Deadline::NEVER)
    }

    /// Takes it if nobody holds it now. Python's `acquire(block=False)`.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`]: somebody holds it. Others as [`lock`](Self::lock).
    #[inline]
    pub fn try_lock(&self) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.lock_by(Deadline::after(Duration::ZERO))
    }

    /// Takes it; blocks until nobody else holds it, but not longer than `timeout`. Python's `acquire(timeout=…)`.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`]: somebody held it all the time. Others as [`lock`](Self::lock).
    #[inline]
    pub fn lock_timeout(&self, timeout: Duration) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        self.lock_by(Deadline::after(timeout))
    }

    /// Whether anyone holds it, which may have changed when this returns. Python's `locked()` (3.14).
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.mutex().is_held()
    }

    /// The process that holds it, which may have changed when this returns.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let lock = mp::Lock::new()?;
    /// let guard = lock.lock()?;
    /// assert_eq!(lock.holder(), Some(std::process::id()));
    /// drop(guard);
    /// assert_eq!(lock.holder(), None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        self.mutex().holder()
    }

    #[inline]
    fn lock_by(&self, deadline: Deadline) -> Result<LockGuard<'_>, LockError<LockGuard<'_>>> {
        let guard = || LockGuard { lock: self, thread: PhantomData };
        match take(self.mutex(), deadline) {
            Ok(()) => Ok(guard()),
            Err(error) => Err(error.map(|()| guard())),
        }
    }

    #[inline]
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

/// Takes a mutex for a user.
#[inline]
pub(crate) fn take(mutex: &RobustMutex, deadline: Deadline) -> Result<(), LockError<()>> {
    match mutex.lock(deadline) {
        Ok(Locked::Yes) => Ok(()),
        Ok(Locked::OwnerDied) => Err(LockError::OwnerDied(())),
        Ok(Locked::Already) => Err(LockError::WouldDeadlock),
        Ok(Locked::TimedOut) => Err(LockError::TimedOut),
        Ok(Locked::TooMany) => Err(LockError::TooMany),
        Err(error) => Err(LockError::Os(Error::os("ask for the list of locks", error))),
    }
}

/// For `Debug`: who holds it.
pub(super) fn describe(mutex: &RobustMutex) -> String {
    let dead = mutex.died().map_or(String::new(), |pid| format!(", process {pid} died holding it"));
    let holder = match mutex.holder() {
        None => "free".to_owned(),
        Some(_) if mutex.is_mine() => "held by this thread".to_owned(),
        Some(pid) if pid == std::process::id() => "held by another thread of this process".to_owned(),
        Some(pid) => match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("held by process {pid} ({})", name.trim_end()),
            Err(_) => format!("held by process {pid}"),
        },
    };
    holder + &dead
}

/// Says who holds it: `Lock(held by process 4711 (server))`.
impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lock").field(&format_args!("{}", describe(self.mutex()))).finish()
    }
}

/// Holds a [`Lock`]; releases it when dropped, be it by a panic.
#[must_use = "the lock is released at once if its guard is dropped"]
pub struct LockGuard<'a> {
    lock: &'a Lock,
    /// The kernel knows the thread that took it.
    thread: PhantomData<*const ()>,
}

impl LockGuard<'_> {
    /// Says that what the lock protects is in order again after a holder died: the next taker hears nothing of it any more.
    pub fn mark_consistent(&self) {
        self.lock.mutex().mark_consistent();
    }

    pub(super) fn lock(&self) -> &Lock {
        self.lock
    }
}

impl RobustGuard for LockGuard<'_> {
    fn mark_consistent(&self) {
        self.mark_consistent();
    }
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // Its condition may have taken it again meanwhile.
        self.lock.mutex().unlock_once();
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockGuard").field(self.lock).finish()
    }
}
