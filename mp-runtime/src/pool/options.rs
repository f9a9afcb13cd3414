//! What may be said of a task besides what it is to do.

use std::{num::NonZeroUsize, time::Duration};

use serde::{Deserialize, Serialize};

use crate::error::TaskError;

/// How tasks are run: how long, how often, how many ahead.
///
/// A pool has its own, which its [builder](crate::PoolBuilder) sets; [`Pool::with`](crate::Pool::with) has others for some tasks.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn forever(n: u32) -> u32 {
///     if n == 2 { loop {} } else { n }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let strict = pool.with(mp::TaskOptions::new().timeout(Duration::from_millis(100)));
/// let results: Vec<_> = strict.imap(forever, 0..4).collect();
/// assert!(matches!(results[2], Err(mp::TaskError::TimedOut(..))));
/// assert_eq!(results.iter().flatten().sum::<u32>(), 0 + 1 + 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskOptions {
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Retry,
    pub(super) chunk_size: Option<NonZeroUsize>,
    pub(super) window: Option<NonZeroUsize>,
    pub(super) window_bytes: Option<NonZeroUsize>,
}

/// What happens to a task in a test; see [`Faulty`](crate::Faulty).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
/// # fn main() -> mp::Result<()> {
/// let slow = mp::Faulty::new(mp::ThreadPool::new(1)?).every(1, mp::Fault::Delay(Duration::from_millis(10)));
/// assert!(slow.submit(square, (5,))?.join_timeout(Duration::from_millis(1)).is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The worker is killed as it begins with the task.
    Kill,
    /// The worker sleeps for so long before it runs the task.
    Delay(Duration),
    /// The arguments do not decode.
    Undecodable,
}

impl TaskOptions {
    /// No limit of time, no retries, everything else as is measured to be good.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a task may run. The clock starts when a worker begins with it. What runs longer gets SIGTERM, and after the
    /// pool's grace time SIGKILL, with all processes that it has started in the worker's process group.
    #[must_use]
    pub fn timeout(mut self, most: Duration) -> Self {
        self.timeout = Some(most);
        self
    }

    /// How often, and after what, a task is tried again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// `retry(Retry::times(times))`.
    #[must_use]
    pub fn retries(self, times: u32) -> Self {
        self.retry(Retry::times(times))
    }

    /// How many items of a map go to a worker together, at most: by default as many as take a fraction of a millisecond, as measured. A
    /// worker that is done early takes over items of another one in any case, and each item is begun, answered and settled by itself.
    #[must_use]
    pub fn chunk_size(mut self, items: NonZeroUsize) -> Self {
        self.chunk_size = Some(items);
        self
    }

    /// How many items of a map are taken from its input ahead of the results that have been received, at most.
    #[must_use]
    pub fn window(mut self, items: NonZeroUsize) -> Self {
        self.window = Some(items);
        self
    }

    /// The same in bytes of encoded arguments, but for the chunk that exceeds it; 64 MiB by default.
    #[must_use]
    pub fn window_bytes(mut self, bytes: NonZeroUsize) -> Self {
        self.window_bytes = Some(bytes);
        self
    }
}

/// How often, and after what, a task is tried again. An attempt goes to another worker if there is one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// let retry = mp::Retry::times(3).back_off(Duration::from_millis(10)).after_panics(true).after_timeouts(true);
/// let pool = mp::Pool::builder().workers(1).retry(retry).build()?;
/// # Ok::<(), mp::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    times: u32,
    back_off: Duration,
    most: Duration,
    after_deaths: bool,
    after_panics: bool,
    after_timeouts: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self::times(0)
    }
}

impl Retry {
    /// So many further attempts after one that ended the worker, and at once.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            back_off: Duration::ZERO,
            most: Duration::from_secs(60),
            after_deaths: true,
            after_panics: false,
            after_timeouts: false,
        }
    }

    /// How long to wait before the first further attempt; before each next one twice as long, up to a minute.
    #[must_use]
    pub const fn back_off(mut self, first: Duration) -> Self {
        self.back_off = first;
        self
    }

    /// The longest wait before an attempt.
    #[must_use]
    pub const fn back_off_at_most(mut self, most: Duration) -> Self {
        self.most = most;
        self
    }

    /// Whether a task is tried again that ended its worker: true unless said.
    #[must_use]
    pub const fn after_deaths(mut self, again: bool) -> Self {
        self.after_deaths = again;
        self
    }

    /// Whether a task is tried again that panicked: false unless said.
    #[must_use]
    pub const fn after_panics(mut self, again: bool) -> Self {
        self.after_panics = again;
        self
    }

    /// Whether a task is tried again that took too long: false unless said.
    #[must_use]
    pub const fn after_timeouts(mut self, again: bool) -> Self {
        self.after_timeouts = again;
        self
    }

    /// How long to wait before the next attempt, after so many that have been made, the last of which ended like this. `None`: there is none.
    pub(super) fn after(&self, attempts: u32, error: &TaskError) -> Option<Duration> {
        let again = match error {
            TaskError::TimedOut(..) => self.after_timeouts,
            TaskError::Panicked(..) if !error.is_worker_death() => self.after_panics,
            _ => self.after_deaths && error.is_worker_death(),
        };
        if !again || attempts > self.times {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        Some(self.back_off.saturating_mul(doubled).min(self.most))
    }
}
