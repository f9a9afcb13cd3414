//! The description of a pool of threads that has not started.

use std::{fmt, sync::Arc};

use super::{ThreadPool, crew::Config};
use crate::{
    codec::Parcel,
    error::{Error, Result},
    pool::{
        TargetName,
        options::{Retry, TaskOptions},
        work::call_of,
    },
    process::{Target, cpu_count},
};

/// A pool of threads that has not started: what [`ThreadPool::builder`] returns.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::ThreadPool::builder()
///     .workers(2)
///     .name("squarer")
///     .retry(mp::Retry::times(1).after_panics(true))
///     .max_pending(10_000, 1 << 30)
///     .build()?;
/// assert_eq!(pool.map(square, 1..4)?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs before `.build()`"]
pub struct ThreadPoolBuilder {
    name: String,
    workers: Option<usize>,
    initializer: Option<Result<(TargetName, Parcel)>>,
    max_pending: (usize, usize),
    options: TaskOptions,
}

impl ThreadPoolBuilder {
    pub(super) fn new() -> Self {
        Self {
            name: "ThreadPoolWorker".to_owned(),
            workers: None,
            initializer: None,
            max_pending: (usize::MAX, usize::MAX),
            options: TaskOptions::default(),
        }
    }

    /// How many threads. By default as many as there are processors for this process ([`cpu_count`]).
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// What the threads' names begin with; a number follows. `ThreadPoolWorker` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Has each thread call `target` with `args` before its first task. One that panics, or returns an `ExitCode` other than success, fails the pool;
    /// of a result of its own nothing is looked at.
    pub fn initializer<F: Target>(mut self, _target: F, args: F::Args) -> Self {
        self.initializer = Some(call_of(F::ID, &args));
        self
    }

    /// How many tasks, and how many bytes of their arguments, may be pending; who submits more waits. By default as many as there is memory for.
    pub fn max_pending(mut self, tasks: usize, bytes: usize) -> Self {
        self.max_pending = (tasks, bytes);
        self
    }

    /// How often a task is tried again that failed in a way that would have ended a worker: `retry(Retry::times(times))`. In threads only a
    /// [`Faulty`](crate::Faulty) executor makes tasks fail so.
    pub fn retries(self, times: u32) -> Self {
        self.retry(Retry::times(times))
    }

    /// How often, and after what, a task is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options = self.options.retry(retry);
        self
    }

    /// All that can be said of tasks, instead of what was said so far. No timeout: a thread cannot be stopped.
    pub fn task_options(mut self, options: TaskOptions) -> Self {
        self.options = options;
        self
    }

    /// Starts the threads, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// Nothing is left of the pool then: a thread cannot be started, or its initializer fails; an argument of that does not encode; a number is zero
    /// that must not be; or tasks are to have a timeout.
    pub fn build(self) -> Result<ThreadPool> {
        let workers = match self.workers {
            Some(0) => return Err(Error::invalid("a pool has one worker at least")),
            Some(workers) => workers,
            None => cpu_count(),
        };
        if self.max_pending.0 == 0 || self.max_pending.1 == 0 {
            return Err(Error::invalid("a pool whose workers have no tasks: a limit is zero"));
        }
        if self.options.timeout.is_some() {
            return Err(Error::unsupported(
                "a timeout of tasks in threads, which cannot be stopped; use a `Pool` for it",
            ));
        }
        ThreadPool::start(Config {
            name: self.name,
            workers,
            initializer: self.initializer.transpose()?,
            max_pending: self.max_pending,
            options: Arc::new(self.options),
        })
    }
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("name", &self.name)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
