//! A map in the background: a thread of its own takes the items and the results.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use super::{
    Executor, Imap, Pool, Singly, Tasks, ThreadPool,
    feed::Order as Delivery,
    options::TaskOptions,
    perform,
    recording::{Orders, Recording},
};
use crate::{
    error::{Error, FactsOfTask, Result, TaskError, TaskFacts},
    process::WorkerTarget,
    sys::{poll::Deadline, signal},
};

/// A map that runs in the background: what [`Pool::map_async`] and its like return.
///
/// Its values exist once: the first [`join`](Self::join) that finds them takes them, an error stays. It is a [`Future`] that needs no runtime in
/// particular. One that is dropped goes on, as a dropped [`Task`](crate::Task) does.
///
/// Nobody waits for ever because of a worker or a pool: when the pool is dropped, or takes no more work, the map ends with the first error in the order
/// of the items. But an iterator of items that blocks is waited for.
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
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let squares = pool.map_async(square, 1..4)?;
/// // Something else is done here.
/// assert_eq!(squares.join()?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
pub struct MapTask<T>(Arc<Map<T>>);

struct Map<T> {
    target: &'static str,
    state: Mutex<State<T>>,
    /// There is a result.
    ready: Condvar,
    orders: Orders,
}

struct State<T> {
    outcome: Outcome<T>,
    waker: Option<Waker>,
}

enum Outcome<T> {
    None,
    Values(Vec<T>),
    Taken,
    Failed(TaskError),
}

macro_rules! background_methods {
    ($self:ident, $executor:expr, $options:expr; $state:ty) => {
        /// [`map`](crate::Tasks::map) in the background: a thread of its own, named `mp-map`, takes the items and the results, while the
        /// caller goes on. Python's `map_async`.
        ///
        /// # Errors
        ///
        /// The system has no thread for it. Whatever becomes of the tasks, the [`MapTask`] says.
        pub fn map_async<F, A, I>(&$self, _target: F, items: I) -> Result<MapTask<F::Output>>
        where
            F: WorkerTarget<$state, Args = (A,), Output: Send>,
            I: IntoIterator<Item = A, IntoIter: Send + 'static>,
        {
            start::<$state, F, _>($executor, $options, Singly(items.into_iter()))
        }

        /// [`map_async`](Self::map_async) for targets of several arguments: each item is a tuple of them.
        ///
        /// # Errors
        ///
        /// As [`map_async`](Self::map_async).
        pub fn starmap_async<F, I>(&$self, _target: F, items: I) -> Result<MapTask<F::Output>>
        where
            F: WorkerTarget<$state, Output: Send>,
            I: IntoIterator<Item = F::Args, IntoIter: Send + 'static>,
        {
            start::<$state, F, _>($executor, $options, items.into_iter())
        }
    };
}

impl<S: 'static> Pool<S> {
    background_methods! { self, self.handle(), self.options(); S }
}

impl ThreadPool {
    background_methods! { self, self.handle(), self.options(); () }
}

impl<S: 'static> Tasks<'_, Pool<S>> {
    background_methods! { self, self.executor().handle(), Arc::clone(self.options()); S }
}

impl Tasks<'_, ThreadPool> {
    background_methods! { self, self.executor().handle(), Arc::clone(self.options()); () }
}

fn start<S, F, I>(
    executor: Arc<dyn Executor<State = S>>,
    options: Arc<TaskOptions>,
    items: I,
) -> Result<MapTask<F::Output>>
where
    S: 'static,
    F: WorkerTarget<S, Output: Send>,
    I: Iterator<Item = F::Args> + Send + 'static,
{
    let state = Mutex::new(State { outcome: Outcome::None, waker: None });
    let map = Arc::new(Map { target: F::ID.name(), state, ready: Condvar::new(), orders: Orders::default() });
    let task = MapTask(Arc::clone(&map));
    let run = move || {
        let executor = Recording { executor, orders: &map.orders };
        let tasks = Tasks::on(&executor).with((*options).clone());
        let result = catch_unwind(AssertUnwindSafe(|| {
            collect(&executor, Imap::<_, F, _>::new(tasks, items, Delivery::OfItems))
        }));
        map.settle(result.unwrap_or_else(|payload| {
            // It was the iterator of the items, or what decodes a result.
            Err(TaskError::Panicked(map.facts(), Box::new(perform::panic(payload))))
        }));
    };
    // The program's signal handlers are not to run on a thread that it does not know.
    let _blocked = signal::block_all().map_err(|error| Error::os("block signals", error))?;
    let thread = thread::Builder::new().name("mp-map".to_owned()).spawn(run);
    thread.map_err(|error| Error::os("start a thread for a map", error))?;
    Ok(task)
}

fn collect<S, F, I>(
    executor: &Recording<'_, S>,
    results: Imap<'_, Recording<'_, S>, F, I>,
) -> Result<Vec<F::Output>, TaskError>
where
    S: 'static,
    F: WorkerTarget<S>,
    I: Iterator<Item = F::Args>,
{
    let (mut values, mut first) = (Vec::with_capacity(results.least()), None);
    for result in results {
        match result {
            Ok(value) if first.is_none() => values.push(value),
            Ok(_) => {}
            Err(error) => {
                // Whoever takes no work now will take none later.
                let is_end = matches!(error, TaskError::Broken(..)) || executor.orders.are_cancelled();
                first.get_or_insert(error);
                if is_end {
                    break;
                }
            }
        }
    }
    first.map_or(Ok(values), Err)
}

impl<T> MapTask<T> {
    /// Waits for the values, in the order of the items.
    ///
    /// # Errors
    ///
    /// The first error in the order of the items, after all are settled; or an earlier join has taken the values.
    pub fn join(&self) -> Result<Vec<T>, TaskError> {
        self.0.wait(Deadline::NEVER);
        self.0.take()
    }

    /// [`join`](Self::join), but not longer than `timeout`; `None` if there is no result by then.
    pub fn join_timeout(&self, timeout: Duration) -> Option<Result<Vec<T>, TaskError>> {
        self.0.wait(Deadline::after(timeout)).then(|| self.0.take())
    }

    /// [`join`](Self::join) without waiting; `None` if there is no result yet.
    pub fn try_join(&self) -> Option<Result<Vec<T>, TaskError>> {
        self.is_ready().then(|| self.0.take())
    }

    /// Whether there is a result, or an error.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.state().is_ready()
    }

    /// Takes no more items, and cancels what is not finished. The result is [`TaskError::Cancelled`] from then on. Returns whether it came in time.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let endless = pool.map_async(square, std::iter::repeat(3))?;
    /// assert!(endless.cancel());
    /// assert!(endless.join().unwrap_err().is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) -> bool {
        let is_first = self.0.settle(Err(TaskError::Cancelled(self.0.facts())));
        if is_first {
            self.0.orders.cancel();
        }
        is_first
    }
}

impl<T> Future for MapTask<T> {
    type Output = Result<Vec<T>, TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        if state.is_ready() {
            drop(state);
            return Poll::Ready(self.0.take());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for MapTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapTask")
            .field("target", &self.0.target)
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}

impl<T> Map<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn facts(&self) -> TaskFacts {
        TaskFacts::new(FactsOfTask { target: self.target.into(), ..FactsOfTask::default() })
    }

    /// Returns whether this is the result: only the first one is.
    fn settle(&self, result: Result<Vec<T>, TaskError>) -> bool {
        let mut state = self.state();
        if state.is_ready() {
            return false;
        }
        state.outcome = match result {
            Ok(values) => Outcome::Values(values),
            Err(error) => Outcome::Failed(error),
        };
        let waker = state.waker.take();
        drop(state);
        self.ready.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn wait(&self, deadline: Deadline) -> bool {
        let mut state = self.state();
        while !state.is_ready() && !deadline.is_over() {
            state = match deadline.rest() {
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => self.ready.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        state.is_ready()
    }

    /// The result, which is there.
    fn take(&self) -> Result<Vec<T>, TaskError> {
        let mut state = self.state();
        match mem::replace(&mut state.outcome, Outcome::Taken) {
            Outcome::Values(values) => Ok(values),
            Outcome::Failed(error) => {
                state.outcome = Outcome::Failed(error.clone());
                Err(error)
            }
            Outcome::Taken | Outcome::None => {
                let why = "an earlier join has taken the values of this map, which exist only once";
                Err(TaskError::Undecodable(self.facts(), Error::invalid(why)))
            }
        }
    }
}

impl<T> State<T> {
    fn is_ready(&self) -> bool {
        !matches!(self.outcome, Outcome::None)
    }
}
