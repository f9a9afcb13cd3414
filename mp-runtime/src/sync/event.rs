//! Something that happens, or has happened.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use super::{death, handle};
use crate::{
    error::Result,
    shm::{arena::Shared, layouts::EventPart},
    sys::{futex, poll::Deadline},
};

/// A flag that processes and threads can wait for: Python's `Event`.
///
/// Clones, and what arrives where it is sent, are the same event. Each call is one step: whoever is killed leaves it whole, and
/// nobody waits for the dead. If a process is killed in [`set`](Self::set) itself, the event is set or not, and if it is, those who
/// wait return within about a tenth of a second. A waiter that [`set`](Self::set) has woken returns, even if [`clear`](Self::clear) follows at once.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn runner(start: mp::Event) {
///     start.wait();
/// }
///
/// # fn main() -> mp::Result<()> {
/// let start = mp::Event::new()?;
/// let child = mp::spawn(runner, (start.clone(),))?;
/// start.set();
/// child.join()?;
/// # Ok(())
/// # }
/// ```
pub struct Event {
    shared: Arc<Shared<EventPart>>,
}

handle!(Event, EventPart);

impl Event {
    /// A new event that is not set.
    ///
    /// # Errors
    ///
    /// As [`Lock::new`](crate::Lock::new).
    pub fn new() -> Result<Self> {
        Ok(Self::from_shared(Arc::new(Shared::new(0)?)))
    }

    /// Whether it is set.
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        is_odd(self.shared.state.load(SeqCst))
    }

    /// Sets it and wakes all who wait. Waits for nobody.
    pub fn set(&self) {
        self.shared.set();
    }

    /// Takes it back: who waits from now on waits for the next [`set`](Self::set).
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// Blocks until it is set, not at all if it is; for ever if nobody lives to set it.
    pub fn wait(&self) {
        self.shared.wait(Deadline::NEVER);
    }

    /// Blocks until it is set, but not longer than `timeout`. Returns whether it was set.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let event = mp::Event::new()?;
    /// assert!(!event.wait_timeout(Duration::from_millis(1)));
    /// event.set();
    /// assert!(event.wait_timeout(Duration::ZERO));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.shared.wait(Deadline::after(timeout))
    }

    fn from_shared(shared: Arc<Shared<EventPart>>) -> Self {
        Self { shared }
    }

    fn received(shared: Arc<Shared<EventPart>>) -> Result<Self> {
        Ok(Self::from_shared(shared))
    }
}

fn is_odd(state: u32) -> bool {
    state & 1 == 1
}

impl EventPart {
    pub(super) fn set(&self) {
        // Fails only if it is set already.
        let change = self.state.fetch_update(SeqCst, SeqCst, |state| (!is_odd(state)).then(|| state.wrapping_add(1)));
        if change.is_ok() && self.waiting.load(SeqCst) > 0 {
            futex::wake(&self.state, u32::MAX);
        }
    }

    pub(super) fn clear(&self) {
        // Fails only if it is not set.
        self.state.fetch_update(SeqCst, SeqCst, |state| is_odd(state).then(|| state.wrapping_add(1))).ok();
    }

    pub(super) fn wait(&self, deadline: Deadline) -> bool {
        let seen = self.state.load(SeqCst);
        if is_odd(seen) {
            return true;
        }
        self.waiting.fetch_add(1, SeqCst);
        while self.state.load(SeqCst) == seen && !deadline.is_over() {
            // Not for ever: who has set it may be killed before it wakes anyone, and the next one to set it has nothing to do.
            death::sleep(&self.state, seen, deadline);
        }
        self.waiting.fetch_sub(1, SeqCst);
        self.state.load(SeqCst) != seen
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).finish()
    }
}
