//! The pool, as its user sees it.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use super::{
    builder::PoolBuilder,
    config::Config,
    core::{Phase, Slot, Worker},
    drive::Shared,
    io,
    stats::PoolStats,
};
use crate::{
    error::{Error, Result, TaskError},
    pool::{Executor, Tasks, Work, executor::executor_by, front::typed_methods, options::TaskOptions},
    process::Context,
};

/// Processes that run tasks: typed arguments in, typed results out, and one task's failure is that task's alone.
///
/// Whatever happens to a worker (it panics, exits, is killed, runs out of memory or time) costs the task that it was running, which ends in a
/// [`TaskError`] that says what it was; the others go on, and another worker takes its place. Nobody waits for ever: not for a task whose worker has
/// died, nor for one of a pool that was terminated or dropped.
///
/// It can be used from many threads. In a worker a pool can be made too. Dropping it ends the workers and cancels what is not
/// finished, as Python's `with Pool()` does; [`close`](Self::close) and [`join`](Self::join) finish it.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn collatz(mut n: u64) -> u32 {
///     let mut steps = 0;
///     while n != 1 {
///         n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
///         steps += 1;
///     }
///     steps
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::new()?;
/// assert_eq!(pool.call(collatz, (27,))?, 111);
/// assert_eq!(pool.map(collatz, 1..1000)?.into_iter().max(), Some(178));
/// # Ok(())
/// # }
/// ```
pub struct Pool<S = ()> {
    shared: Arc<Shared>,
    /// The pool's own; until it has been waited for.
    thread: Mutex<Option<JoinHandle<()>>>,
    state: PhantomData<fn() -> S>,
}

impl Pool {
    /// A pool with a worker for each processor that this process may use: [`builder`](Self::builder) with nothing changed.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Describes a pool.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::by(Context::of_program())
    }
}

typed_methods!(Pool<S>, S);

impl<S: 'static> Pool<S> {
    pub(super) fn start(config: Config) -> Result<Self> {
        let shared = Shared::new(config)?;
        // It starts all workers at once; the first that cannot be made ready ends it.
        let thread = Mutex::new(Some(io::start(&shared)?));
        let pool = Self { shared, thread, state: PhantomData };
        let mut core = pool.shared.core();
        loop {
            if let Phase::Broken(error) = &core.phase {
                return Err(error.clone());
            }
            if core.slots.iter().all(|slot| slot.worker().is_some_and(|worker| worker.ready.is_some())) {
                core.is_starting = false;
                drop(core);
                return Ok(pool);
            }
            core = pool.shared.changed.wait(core).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same pool, with other options for the tasks that are given to it so.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// assert_eq!(pool.with(mp::TaskOptions::new().retries(3)).map(square, [5])?, [25]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with(&self, options: TaskOptions) -> Tasks<'_, Self> {
        Tasks::on(self).with(options)
    }

    /// Takes no more tasks. What has been submitted is done, then the workers end. Python's `close`.
    pub fn close(&self) {
        self.shared.core().close();
        self.shared.poke();
    }

    /// Takes no more tasks, cancels those that wait, and ends the workers: SIGTERM, and SIGKILL after the
    /// [grace time](PoolBuilder::grace). The tasks that they run are cancelled too. It does not wait for that.
    pub fn terminate(&self) {
        let mut core = self.shared.core();
        if !matches!(core.phase, Phase::Broken(_)) {
            core.phase = Phase::Terminated;
        }
        core.abandon(TaskError::Cancelled);
        self.shared.poke();
    }

    /// Waits until all workers have ended.
    ///
    /// # Errors
    ///
    /// The pool is neither closed nor terminated: they will not end. Or it has given up; then that is why.
    pub fn join(&self) -> Result<()> {
        let mut core = self.shared.core();
        if matches!(core.phase, Phase::Open) {
            let name = &self.shared.config.name;
            return Err(Error::invalid(format!("pool '{name}' is open: close or terminate it before `join`")));
        }
        while !core.is_over {
            core = self.shared.changed.wait(core).unwrap_or_else(PoisonError::into_inner);
        }
        let end = match &core.phase {
            Phase::Broken(error) => Err(error.clone()),
            _ => Ok(()),
        };
        drop(core);
        self.join_thread();
        end
    }

    /// [`close`](Self::close) and [`join`](Self::join); with `cancel_pending`, tasks that no worker has begun are cancelled.
    ///
    /// # Errors
    ///
    /// The pool has given up: why.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let task = pool.submit(square, (5,))?;
    /// pool.shutdown(false)?;
    /// assert_eq!(task.join()?, 25);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self, cancel_pending: bool) -> Result<()> {
        let mut core = self.shared.core();
        core.close();
        let mut dropped = Vec::new();
        if cancel_pending {
            // Before anybody can see that it is closed: nothing of it is begun meanwhile.
            dropped = core.drop_pending();
            let back: Vec<Work> = core.workers_mut().flat_map(Worker::take_back).collect();
            dropped.extend(back.into_iter().map(|work| super::core::Pending { work, avoid: None }));
        }
        drop(core);
        drop(dropped);
        self.shared.poke();
        self.join()
    }

    /// For one who may outlive the pool: nothing is taken over then.
    pub(in crate::pool) fn handle(&self) -> Arc<dyn Executor<State = S>> {
        Arc::new(Handle { shared: Arc::clone(&self.shared), state: PhantomData })
    }

    /// The process ids of the workers, as they are now.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.shared.core().workers().map(|worker| worker.process.pid()).collect()
    }

    /// How many workers it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.config.workers
    }

    /// How many workers have taken the place of others.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.shared.core().next_id.saturating_sub(self.shared.config.workers as u64)
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let mut core = self.shared.core();
        // Who takes results gives out what can follow them: a thread that waits finds nothing new any more, and sleeps on.
        core.pass();
        let stats = core.stats();
        self.shared.leave(core);
        stats
    }
}

executor_by! { [S: 'static] Pool<S>, S, pool => pool.shared }

/// A pool that somebody else has.
struct Handle<S> {
    shared: Arc<Shared>,
    state: PhantomData<fn() -> S>,
}

executor_by! { [S: 'static] Handle<S>, S, handle => handle.shared }

impl<S> Pool<S> {
    /// Waits for the thread that has said that it is at its end: from then on nothing is left of it.
    fn join_thread(&self) {
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Should it have panicked, the pool is broken, and has said so.
            thread.join().ok();
        }
    }
}

impl<S> Drop for Pool<S> {
    fn drop(&mut self) {
        let mut core = self.shared.core();
        if !matches!(core.phase, Phase::Broken(_)) {
            core.phase = Phase::Terminated;
        }
        core.abandon(TaskError::Cancelled);
        self.shared.poke();
        while !core.is_over {
            core = self.shared.changed.wait(core).unwrap_or_else(PoisonError::into_inner);
        }
        drop(core);
        self.join_thread();
    }
}

impl<S> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.shared.core();
        f.debug_struct("Pool")
            .field("name", &self.shared.config.name)
            .field("workers", &core.slots.iter().filter(|slot| matches!(slot, Slot::Taken(_))).count())
            .field("pending", &core.pending_items)
            .finish_non_exhaustive()
    }
}
