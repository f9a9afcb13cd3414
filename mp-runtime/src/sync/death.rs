//! How those who wait learn of a death that nobody announces.
//!
//! The kernel tells the waiters of a lock that its holder has died, and nobody else. A permit, a place at a barrier, a
//! wake-up that was taken and not used, or was never sent: for these, who waits looks now and then.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use crate::sys::{atomic::AtomicU32, futex, poll::Deadline};

/// How often. A look is a system call for each other process that waits or has permits; ten of them a second are no load, and
/// a tenth of a second is soon enough for something that has gone wrong.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// Whether it is time to look who has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Now,
    Later,
    /// Somebody has woken this one.
    Woken,
}

/// When to look next, if the deadline is not before.
pub(super) fn next_look(deadline: Deadline) -> Deadline {
    Deadline::after(deadline.rest_at_most(INTERVAL))
}

/// Sleeps while `word` is `expected`, until the deadline or the next look. Returns early for any reason or none.
pub(super) fn sleep(word: &AtomicU32, expected: u32, deadline: Deadline) -> Look {
    if futex::wait(word, expected, Some(deadline.rest_at_most(INTERVAL))) {
        return Look::Woken;
    }
    if word.load(SeqCst) == expected { Look::Now } else { Look::Later }
}
