//! The pool, as its user sees it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use super::{
    builder::ThreadPoolBuilder,
    crew::{Config, Crew},
    queue::Phase,
};
use crate::{
    error::{Error, Result},
    pool::{Executor, Tasks, executor::executor_by, front::typed_methods, options::TaskOptions},
};

/// Threads that run tasks: what a [`Pool`](crate::Pool) does, with the same methods, without its processes. Python's `ThreadPool`.
///
/// It starts in microseconds and shares the program's memory, and has none of what processes are for: a task that aborts, exits or overflows its stack
/// takes the program along, and none can be stopped. So [`cancel`](crate::Task::cancel) keeps a task from being begun, or its result from being
/// taken, but does not end it; a task with a [timeout](TaskOptions::timeout) is [`Refused`](crate::TaskError::Refused); and whoever drops the pool waits
/// for the tasks that run. A panic is that task's error: [`Panicked`](crate::TaskError::Panicked), without a place, as the panic hook is the program's.
///
/// Arguments and results are encoded and decoded as for processes, so that tasks share nothing by accident. A task that waits for another one of the
/// same pool takes up a thread: when all do so, all wait for ever.
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
/// let pool = mp::ThreadPool::new(2)?;
/// assert_eq!(pool.map(square, 1..4)?, [1, 4, 9]);
/// assert_eq!(pool.submit(square, (5,))?.join()?, 25);
/// # Ok(())
/// # }
/// ```
pub struct ThreadPool {
    crew: Arc<Crew>,
    /// Those that nobody has waited for yet.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl ThreadPool {
    /// A pool of so many threads: [`builder`](Self::builder) with nothing else changed.
    ///
    /// # Errors
    ///
    /// As [`ThreadPoolBuilder::build`].
    pub fn new(workers: usize) -> Result<Self> {
        Self::builder().workers(workers).build()
    }

    /// Describes a pool.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    pub(super) fn start(config: Config) -> Result<Self> {
        let pool = Self { crew: Crew::new(config), threads: Mutex::default() };
        let (ready, made_ready) = mpsc::channel();
        for number in 1..=pool.crew.config.workers {
            let name = format!("{}-{number}", pool.crew.config.name);
            let (crew, ready) = (Arc::clone(&pool.crew), ready.clone());
            let run = move || {
                let made = crew.make_ready();
                let is_ready = made.is_ok();
                ready.send(made.map_err(|error| error.context(thread_name()))).ok();
                drop(ready);
                if is_ready {
                    crew.serve(&thread_name());
                }
            };
            let thread = thread::Builder::new().name(name).spawn(run);
            let thread = thread.map_err(|error| Error::os("start a thread of a pool", error))?;
            pool.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        drop(ready);
        // The first error ends it: the pool is dropped.
        made_ready.into_iter().collect::<Result<()>>()?;
        Ok(pool)
    }

    /// The same pool, with other options for the tasks that are given to it so.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::ThreadPool::new(1)?;
    /// let again = mp::TaskOptions::new().retry(mp::Retry::times(2).after_panics(true));
    /// assert_eq!(pool.with(again).map(square, [5])?, [25]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with(&self, options: TaskOptions) -> Tasks<'_, Self> {
        Tasks::on(self).with(options)
    }

    /// Takes no more tasks. What has been submitted is done, then the threads end.
    pub fn close(&self) {
        self.crew.end(Phase::Closed, false);
    }

    /// Takes no more tasks, and cancels those that no thread has begun; the threads end with what they are at. It does not wait for that.
    pub fn terminate(&self) {
        self.crew.end(Phase::Terminated, true);
    }

    /// Waits until all threads have ended, for as long as their tasks take.
    ///
    /// # Errors
    ///
    /// The pool is neither closed nor terminated: they will not end. Or this is one of them.
    pub fn join(&self) -> Result<()> {
        let name = &self.crew.config.name;
        if self.crew.phase() == Phase::Open {
            return Err(Error::invalid(format!("thread pool '{name}' is open: close or terminate it before `join`")));
        }
        // Under the lock: who asks second has to wait, too.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.iter().any(|thread| thread.thread().id() == thread::current().id()) {
            let why = format!("a task of thread pool '{name}' cannot wait for its end; do so in another thread");
            return Err(Error::invalid(why));
        }
        for thread in threads.drain(..) {
            // It does not panic; what a task's thread-local values do in their destructors has been reported.
            thread.join().ok();
        }
        Ok(())
    }

    /// [`close`](Self::close) and [`join`](Self::join); with `cancel_pending`, tasks that no thread has begun are cancelled.
    ///
    /// # Errors
    ///
    /// This is one of its threads.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::ThreadPool::new(1)?;
    /// let task = pool.submit(square, (5,))?;
    /// pool.shutdown(false)?;
    /// assert_eq!(task.join()?, 25);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self, cancel_pending: bool) -> Result<()> {
        self.crew.end(Phase::Closed, cancel_pending);
        self.join()
    }

    /// How many threads it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.crew.config.workers
    }

    /// For one who may outlive the pool.
    pub(in crate::pool) fn handle(&self) -> Arc<dyn Executor<State = ()>> {
        Arc::clone(&self.crew) as Arc<dyn Executor<State = ()>>
    }
}

typed_methods!(ThreadPool);

executor_by! { [] ThreadPool, (), pool => pool.crew }

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.terminate();
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A task may be the last to have the pool; its thread ends without being waited for.
        let others = threads.drain(..).filter(|thread| thread.thread().id() != thread::current().id());
        for thread in others.collect::<Vec<_>>() {
            thread.join().ok();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.crew.config.name)
            .field("workers", &self.crew.config.workers)
            .field("pending", &self.crew.held())
            .finish_non_exhaustive()
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}
