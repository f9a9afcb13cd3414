//! What can be asked of any executor, with types.

use std::{collections::VecDeque, fmt, sync::Arc};

use super::{
    Executor, Imap, Rejected, TargetName, Task, Work,
    feed::{Order as Delivery, Singly},
    options::TaskOptions,
    order::{Arguments, Order, Settlement},
    work::call_of,
};
use crate::{
    codec::Encoder,
    error::{Error, Result, TaskError, TaskFacts},
    process::WorkerTarget,
};

/// An executor, with the options that its tasks are to have: what can be asked of any of them.
///
/// [`Pool`](crate::Pool), [`ThreadPool`](crate::ThreadPool) and [`Inline`](crate::Inline) have the same methods for their own options;
/// [`Pool::with`](crate::Pool::with) makes one of these for others.
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
/// /// Does not care who does it.
/// fn squares<E: mp::Executor<State = ()>>(executor: &E) -> Result<Vec<u64>, mp::TaskError> {
///     mp::Tasks::on(executor).map(square, 1..4)
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(squares(&mp::Inline::new())?, [1, 4, 9]);
/// assert_eq!(squares(&mp::ThreadPool::new(2)?)?, [1, 4, 9]);
/// assert_eq!(squares(&mp::Pool::builder().workers(2).build()?)?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
pub struct Tasks<'e, E: ?Sized> {
    executor: &'e E,
    options: Arc<TaskOptions>,
}

impl<'e, E: Executor + ?Sized> Tasks<'e, E> {
    /// With the executor's own options.
    #[must_use]
    pub fn on(executor: &'e E) -> Self {
        Self { executor, options: executor.options() }
    }

    /// The same with these options.
    #[must_use]
    pub fn with(self, options: TaskOptions) -> Self {
        Self { options: Arc::new(options), ..self }
    }

    pub(super) fn executor(&self) -> &'e E {
        self.executor
    }

    pub(super) fn options(&self) -> &Arc<TaskOptions> {
        &self.options
    }

    /// Runs `target` with `args` in a worker, and waits for the result. Python's `apply`.
    ///
    /// # Errors
    ///
    /// Why there is none: see [`TaskError`].
    pub fn call<F: WorkerTarget<E::State>>(&self, target: F, args: F::Args) -> Result<F::Output, TaskError> {
        let broken = |error| TaskError::Broken(facts::<E::State, F>(), error);
        match self.order::<F>(&args) {
            Ok(order) => match self.executor.execute_when_there_is_room(Work::new(&order)) {
                Ok(()) => Task::<F::Output>::new(order).join(),
                Err(rejected) => Err(broken(rejected.into())),
            },
            Err(error) => {
                let _unused = target;
                Err(TaskError::Unencodable(facts::<E::State, F>(), error))
            }
        }
    }

    /// Has `target` run with `args`. Where there is a limit of what may be pending it waits for room. Python's `apply_async` and `submit`.
    ///
    /// # Errors
    ///
    /// An argument does not encode, or the executor takes no more work.
    pub fn submit<F: WorkerTarget<E::State>>(&self, _target: F, args: F::Args) -> Result<Task<F::Output>> {
        let order = self.order::<F>(&args)?;
        self.executor.execute_when_there_is_room(Work::new(&order))?;
        Ok(Task::new(order))
    }

    /// [`submit`](Self::submit) without waiting for room.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), or that there is no room: with the arguments.
    pub fn try_submit<F: WorkerTarget<E::State>>(
        &self,
        _target: F,
        args: F::Args,
    ) -> Result<Task<F::Output>, TrySubmitError<F::Args>> {
        let order = self.order::<F>(&args).map_err(TrySubmitError::Failed)?;
        match self.executor.execute(Work::new(&order)) {
            Ok(()) => Ok(Task::new(order)),
            Err(Rejected::Full(_)) => Err(TrySubmitError::Full(args)),
            Err(Rejected::Closed(_, error)) => Err(TrySubmitError::Failed(error)),
        }
    }

    fn order<F: WorkerTarget<E::State>>(&self, args: &F::Args) -> Result<Arc<Order>> {
        let (target, parcel) = call_of(F::ID, args)?;
        Ok(Arc::new(Order::new(target, Arc::clone(&self.options), 0, Arguments::One(parcel))))
    }

    /// Runs `target` with each item, and returns the results in their order, when all are there. Items are taken
    /// from `items` as they are needed. To be told how far it is: `imap(target, items)`[`.on_progress(…)`](Imap::on_progress)`.after_all()`.
    ///
    /// # Errors
    ///
    /// The first error in the order of the items, after all are settled. [`imap`](Self::imap) has a result for each item, and its
    /// [`fail_fast`](Imap::fail_fast) does not wait.
    pub fn map<F, A, I>(&self, target: F, items: I) -> Result<Vec<F::Output>, TaskError>
    where
        F: WorkerTarget<E::State, Args = (A,)>,
        I: IntoIterator<Item = A>,
    {
        self.imap(target, items).after_all()
    }

    /// [`map`](Self::map) for targets of several arguments: each item is a tuple of them.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    pub fn starmap<F, I>(&self, target: F, items: I) -> Result<Vec<F::Output>, TaskError>
    where
        F: WorkerTarget<E::State>,
        I: IntoIterator<Item = F::Args>,
    {
        self.istarmap(target, items).after_all()
    }

    /// Runs `target` with each item, for what it does there.
    ///
    /// # Errors
    ///
    /// As [`map`](Self::map).
    pub fn for_each<F, A, I>(&self, target: F, items: I) -> Result<(), TaskError>
    where
        F: WorkerTarget<E::State, Args = (A,), Output = ()>,
        I: IntoIterator<Item = A>,
    {
        // Vectors of nothing take no memory.
        self.map(target, items).map(drop)
    }

    /// An iterator of the results, each its own [`Result`], in the order of the items. Items are taken from `items` as results are
    /// taken from here, with a bounded lead ([`TaskOptions::window`]), so an endless input is fine. What is not taken is cancelled
    /// when the iterator is dropped.
    ///
    /// The input is asked in the thread that takes the results. What it has yielded is handed over before it is asked again, so it may wait for what
    /// earlier items do; and results that are ready do not wait for a slow one. Only of tasks shorter than 20 µs, from an input that
    /// was as quick so far, a millisecond's items may be handed over together: such an input must not wait for the last of them.
    pub fn imap<F, A, I>(&self, _target: F, items: I) -> Imap<'e, E, F, Singly<I::IntoIter>>
    where
        F: WorkerTarget<E::State, Args = (A,)>,
        I: IntoIterator<Item = A>,
    {
        Imap::new(self.again(), Singly(items.into_iter()), Delivery::OfItems)
    }

    /// [`imap`](Self::imap) in the order in which the results come.
    pub fn imap_unordered<F, A, I>(&self, _target: F, items: I) -> Imap<'e, E, F, Singly<I::IntoIter>>
    where
        F: WorkerTarget<E::State, Args = (A,)>,
        I: IntoIterator<Item = A>,
    {
        Imap::new(self.again(), Singly(items.into_iter()), Delivery::AsTheyCome)
    }

    /// [`imap`](Self::imap) for targets of several arguments.
    pub fn istarmap<F, I>(&self, _target: F, items: I) -> Imap<'e, E, F, I::IntoIter>
    where
        F: WorkerTarget<E::State>,
        I: IntoIterator<Item = F::Args>,
    {
        Imap::new(self.again(), items.into_iter(), Delivery::OfItems)
    }

    /// [`imap_unordered`](Self::imap_unordered) for targets of several arguments.
    pub fn istarmap_unordered<F, I>(&self, _target: F, items: I) -> Imap<'e, E, F, I::IntoIter>
    where
        F: WorkerTarget<E::State>,
        I: IntoIterator<Item = F::Args>,
    {
        Imap::new(self.again(), items.into_iter(), Delivery::AsTheyCome)
    }

    fn again(&self) -> Self {
        Self { executor: self.executor, options: Arc::clone(&self.options) }
    }

    /// Hands over some work; what is not taken over is settled with the reason. Returns whether all was.
    pub(super) fn place(&self, works: &mut VecDeque<Work>) -> bool {
        let Err(rejected) = self.executor.execute_many(works) else { return true };
        let (work, error) = match rejected {
            Rejected::Closed(work, error) => (work, error),
            Rejected::Full(work) => (work, Error::full()),
        };
        for mut work in [work].into_iter().chain(works.drain(..)) {
            let order = Arc::clone(&work.order);
            work.fail(|item| TaskError::Broken(TaskFacts::new(order.facts(item, 0)), error.clone()));
        }
        false
    }

    /// An item whose arguments do not encode.
    pub(super) fn unencodable<F: WorkerTarget<E::State>>(&self, index: u64, error: Error) -> Arc<Order> {
        let nothing = Arguments::One(Encoder::spilling_from(usize::MAX).into_parcel());
        let order = Order::new(TargetName::known(F::ID), Arc::clone(&self.options), index, nothing);
        let facts = TaskFacts::new(order.facts(0, 0));
        order.settle(Settlement::Failed(0, Box::new(TaskError::Unencodable(facts, error))));
        Arc::new(order)
    }
}

fn facts<S, F: WorkerTarget<S>>() -> TaskFacts {
    TaskFacts::new(crate::error::FactsOfTask { target: F::ID.name().into(), ..Default::default() })
}

impl<E: ?Sized> fmt::Debug for Tasks<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Why [`try_submit`](Tasks::try_submit) did not submit.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn forever() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(1).max_pending(2, 1 << 20).build()?;
/// let mut submitted = 0;
/// while pool.try_submit(forever, ()).is_ok() {
///     submitted += 1;
/// }
/// assert!(matches!(pool.try_submit(forever, ()), Err(mp::TrySubmitError::Full(()))));
/// assert_eq!(submitted, 2);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub enum TrySubmitError<A> {
    /// As much is pending as may be. Here are the arguments.
    Full(A),
    /// An argument does not encode, or the executor takes no more work.
    Failed(Error),
}

impl<A> fmt::Display for TrySubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => Error::full().fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// The same as [`Display`](fmt::Display), whatever the arguments are.
impl<A> fmt::Debug for TrySubmitError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<A> std::error::Error for TrySubmitError<A> {}

impl<A> From<TrySubmitError<A>> for Error {
    fn from(error: TrySubmitError<A>) -> Self {
        match error {
            TrySubmitError::Full(_) => Self::full(),
            TrySubmitError::Failed(error) => error,
        }
    }
}
