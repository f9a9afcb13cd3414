//! Waiting for something to become true that a lock protects.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Lock, LockGuard, RLock, RLockGuard,
    death::{self, Look},
};
use crate::{
    codec::carried::Carried,
    error::{Error, LockError, Result},
    shm::{arena::Shared, layouts::ConditionPart},
    sys::{futex, poll::Deadline, robust_mutex::Locked},
};

/// A condition that one process makes true and others wait for: Python's `Condition`.
///
/// It belongs to a lock, its own or [one that is given](Self::with_lock); who changes what the condition is about holds that lock, and
/// [`wait`](Self::wait) gives it back while it waits. Clones, and what arrives where it is sent, are the same condition, with the same lock.
///
/// [`notify`](Self::notify) wakes so many who are waiting and alive, and waits for nobody: a waiter that was killed neither counts nor
/// holds anything up. It may wake more (Python's documentation reserves that too) if some are just falling asleep, so look again;
/// [`wait_for`](Self::wait_for) does. If a waiter dies after it was woken, before it had the lock again, or a process in the
/// middle of `notify`, all others are woken within about a tenth of a second in its place.
/// If the lock's holder dies, the waiters learn of it by the error that the lock's next taker would get.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn produce(count: mp::RawValue<std::sync::atomic::AtomicU32>, there: mp::Condition) -> mp::Result<()> {
///     for _ in 0..3 {
///         let _guard = there.lock()?;
///         count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         there.notify(1);
///     }
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let count = mp::RawValue::<std::sync::atomic::AtomicU32>::new(0)?;
/// let there = mp::Condition::new()?;
/// let child = mp::spawn(produce, (count.clone(), there.clone()))?;
/// let mut guard = there.lock()?;
/// there.wait_for(&mut guard, || count.load(std::sync::atomic::Ordering::Relaxed) == 3)?;
/// drop(guard);
/// child.join()??;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Condition {
    shared: Arc<Shared<ConditionPart>>,
    /// A `Lock` is one that is never taken twice.
    lock: RLock,
}

/// The guard of a [`Lock`] or an [`RLock`], for the conditions of either.
pub trait AnyGuard {
    /// Whether that is the lock that it holds.
    #[doc(hidden)]
    fn is_of(&self, lock: &RLock) -> bool;
}

impl AnyGuard for LockGuard<'_> {
    fn is_of(&self, lock: &RLock) -> bool {
        self.lock().shared().block().is(lock.shared().block())
    }
}

impl AnyGuard for RLockGuard<'_> {
    fn is_of(&self, lock: &RLock) -> bool {
        self.lock().shared().block().is(lock.shared().block())
    }
}

impl Condition {
    /// A new condition with a lock of its own, an [`RLock`].
    ///
    /// # Errors
    ///
    /// As [`Lock::new`].
    pub fn new() -> Result<Self> {
        Self::with_rlock(&RLock::new()?)
    }

    /// A new condition of what `lock` protects. There may be several, for one lock.
    ///
    /// # Errors
    ///
    /// As [`Lock::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// # fn main() -> mp::Result<()> {
    /// let lock = mp::Lock::new()?;
    /// let (not_empty, not_full) = (mp::Condition::with_lock(&lock)?, mp::Condition::with_lock(&lock)?);
    /// let guard = lock.lock()?;
    /// not_empty.notify(1);
    /// not_full.notify_all();
    /// # drop(guard);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_lock(lock: &Lock) -> Result<Self> {
        Self::with_rlock(&RLock::from_shared(Arc::clone(lock.shared())))
    }

    /// A new condition of what `lock` protects. There may be several, for one lock.
    ///
    /// # Errors
    ///
    /// As [`Lock::new`].
    pub fn with_rlock(lock: &RLock) -> Result<Self> {
        Ok(Self { shared: Arc::new(Shared::new(0)?), lock: lock.clone() })
    }

    /// Takes the condition's lock.
    ///
    /// # Errors
    ///
    /// As [`RLock::lock`].
    pub fn lock(&self) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock.lock()
    }

    /// Takes the condition's lock, within `timeout`.
    ///
    /// # Errors
    ///
    /// As [`RLock::lock_timeout`].
    pub fn lock_timeout(&self, timeout: Duration) -> Result<RLockGuard<'_>, LockError<RLockGuard<'_>>> {
        self.lock.lock_timeout(timeout)
    }

    /// Gives the lock back, however often it was taken, blocks until notified, and takes the lock again, as often as it was taken.
    /// It may also return without having been notified.
    ///
    /// # Errors
    ///
    /// [`is_owner_died`](Error::is_owner_died): a process died holding the lock; the guard holds it again. Also if the guard is
    /// another lock's.
    pub fn wait<G: AnyGuard>(&self, guard: &mut G) -> Result<()> {
        self.wait_by(guard, Deadline::NEVER).map(drop)
    }

    /// The same for not longer than `timeout`, and as long as it then takes to get the lock again. Returns whether it was notified.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout<G: AnyGuard>(&self, guard: &mut G, timeout: Duration) -> Result<bool> {
        self.wait_by(guard, Deadline::after(timeout))
    }

    /// Waits until `predicate` says yes; it is asked with the lock held, first before waiting at all.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_for<G: AnyGuard>(&self, guard: &mut G, predicate: impl FnMut() -> bool) -> Result<()> {
        self.wait_for_by(guard, Deadline::NEVER, predicate).map(drop)
    }

    /// The same for not longer than `timeout`. Returns what `predicate` said last.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_for_timeout<G: AnyGuard>(
        &self,
        guard: &mut G,
        timeout: Duration,
        predicate: impl FnMut() -> bool,
    ) -> Result<bool> {
        self.wait_for_by(guard, Deadline::after(timeout), predicate)
    }

    /// Wakes `n` who wait, or all if they are fewer; which of them is not said. They need the lock: if the caller holds it they are
    /// woken when it gives that back. Who calls it should hold the lock, as in Python, or else a waiter that is just about to
    /// wait may have looked too early; it is not checked.
    pub fn notify(&self, n: u32) {
        let (part, stake) = (&self.shared, self.shared.block().stake());
        if n == 0 || part.waiting.load(SeqCst) == 0 {
            return;
        }
        // Should it be killed in here, a waiter that looks will see it.
        stake.fetch_add(1, SeqCst);
        part.notify(n, || self.lock.mutex().wake_when_unlocked(&part.changes));
        stake.fetch_sub(1, SeqCst);
    }

    /// Wakes all who wait, as [`notify`](Self::notify) does.
    pub fn notify_all(&self) {
        self.notify(u32::MAX);
    }

    fn wait_for_by<G: AnyGuard>(
        &self,
        guard: &mut G,
        deadline: Deadline,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<bool> {
        loop {
            if predicate() {
                return Ok(true);
            }
            if deadline.is_over() {
                return Ok(false);
            }
            self.wait_by(guard, deadline)?;
        }
    }

    fn wait_by<G: AnyGuard>(&self, guard: &mut G, deadline: Deadline) -> Result<bool> {
        if !guard.is_of(&self.lock) {
            return Err(Error::invalid("the guard is of another lock than the condition's"));
        }
        let mutex = self.lock.mutex();
        if !mutex.is_mine() {
            return Err(Error::invalid("the guard's lock is not held by this thread"));
        }
        let (part, stake) = (&self.shared, self.shared.block().stake());
        let depth = mutex.depth().swap(0, Relaxed);
        // Who changes this one holds the lock.
        part.waiting.store(part.waiting.load(Relaxed).wrapping_add(1), SeqCst);
        stake.fetch_add(1, SeqCst);
        let base = part.changes.load(SeqCst);
        mutex.unlock();

        let slept = part.sleep(base, deadline, || {
            self.wake_for_the_dead()?;
            Ok(mutex.is_orphaned())
        });

        let locked = mutex.lock_within_the_library(Deadline::NEVER);
        stake.fetch_sub(1, SeqCst);
        part.waiting.store(part.waiting.load(Relaxed).wrapping_sub(1), SeqCst);
        match locked.map_err(|error| Error::os("take a condition's lock again", error))? {
            Locked::Yes => {
                mutex.depth().store(depth, Relaxed);
                slept
            }
            Locked::OwnerDied => {
                mutex.depth().store(depth, Relaxed);
                Err(LockError::OwnerDied(()).into())
            }
            other => Err(Error::invalid(format!("the condition's lock cannot be taken again: {other:?}"))),
        }
    }

    /// Who died while it waited may have been woken, and others not; who died while it notified may have woken nobody.
    fn wake_for_the_dead(&self) -> Result<()> {
        let mut found = false;
        self.shared.block().stakes_of_the_dead(|_, stake| {
            stake.store(0, SeqCst);
            found = true;
        })?;
        if found {
            self.shared.call_all();
            futex::wake(&self.shared.changes, u32::MAX);
        }
        Ok(())
    }
}

impl ConditionPart {
    /// Returns whether it was notified: woken by name, or called with all others; or `look` said, now and then, to wait no longer.
    pub(super) fn sleep(&self, base: u32, deadline: Deadline, mut look: impl FnMut() -> Result<bool>) -> Result<bool> {
        let mut look_at = None;
        loop {
            // Before looking whether all are called: if they are called after that, this has changed.
            let seen = self.changes.load(SeqCst);
            if self.is_called(base) {
                return Ok(true);
            }
            if deadline.is_over() {
                return Ok(false);
            }
            if death::sleep(&self.changes, seen, deadline) == Look::Woken {
                return Ok(true);
            }
            // Whether or not others were notified meanwhile.
            let now = Instant::now();
            if look_at.is_none_or(|then| now >= then) {
                if look()? {
                    return Ok(true);
                }
                look_at = Some(now + death::INTERVAL);
            }
        }
    }

    /// Wakes `n` of those who wait; `wake_all` if that is all of them, or if the kernel finds fewer than that asleep.
    pub(super) fn notify(&self, n: u32, wake_all: impl FnOnce()) {
        if self.waiting.load(SeqCst) <= n || self.wake(n) < n {
            self.call_all();
            wake_all();
        }
    }

    /// Wakes `n` of those who sleep, and returns how many that were. The kernel knows who sleeps and for how long; those on their
    /// way there it does not know.
    fn wake(&self, n: u32) -> u32 {
        self.changes.fetch_add(1, SeqCst);
        futex::wake(&self.changes, n)
    }

    /// All return who have begun to wait, asleep or not: as soon as they are woken, or look.
    fn call_all(&self) {
        let now = self.changes.fetch_add(1, SeqCst).wrapping_add(1);
        let later = |called| is_before(called, now).then_some(now);
        self.called.fetch_update(SeqCst, SeqCst, later).ok();
        self.changes.fetch_add(1, SeqCst);
    }

    /// Whether all are called who began to wait when `changes` was `base`.
    fn is_called(&self, base: u32) -> bool {
        is_before(base, self.called.load(SeqCst))
    }
}

/// The numbers go round: the half of them behind one is after it.
fn is_before(one: u32, other: u32) -> bool {
    other.wrapping_sub(one).cast_signed() > 0
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Carried(self.shared.block()), &self.lock).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Carried(block), lock) = Deserialize::deserialize(deserializer)?;
        let shared = Shared::from_block(block).map_err(serde::de::Error::custom)?;
        Ok(Self { shared: Arc::new(shared), lock })
    }
}

/// Says how many wait (those who were killed there included) and who holds the lock.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.shared.waiting.load(Relaxed);
        f.debug_struct("Condition").field("lock", &self.lock).field("waiting", &waiting).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_notification_that_another_took_is_not_ones_own() -> Result<()> {
        let condition = Condition::new()?;
        let mut guard = condition.lock().map_err(|error| error.map(drop))?;
        thread::scope(|threads| {
            threads.spawn(|| {
                while condition.shared.waiting.load(SeqCst) == 0 {
                    thread::yield_now();
                }
                condition.shared.changes.fetch_add(1, SeqCst);
            });
            // Some looks later.
            assert!(!condition.wait_timeout(&mut guard, death::INTERVAL * 3)?);
            Ok(())
        })
    }
}
