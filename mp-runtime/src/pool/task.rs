//! A task that was submitted: the way to its result.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use super::{
    order::{Order, Settlement},
    watch::Watcher,
};
use crate::{
    codec::{Decoder, HEADER, Message, lengths},
    error::{Error, Result, TaskError, TaskFacts},
    process::Output,
    sys::poll::Deadline,
};

/// A task that was submitted. Its result can be waited for, by threads and by async tasks of any runtime.
///
/// Methods can be called at any time, from any thread, any number of times: the answer stays the same, decoded anew from what the
/// handle keeps. Only a result with descriptors in it ([`Handle`](crate::Handle)) exists once, and is an error from then on. A task whose
/// handle is dropped goes on.
///
/// It is a [`Future`] that needs no runtime in particular. Nobody waits for ever: a worker that dies, and a pool that is dropped, settle it.
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
/// let (three, four) = (pool.submit(square, (3,))?, pool.submit(square, (4,))?);
/// assert_eq!(three.join()? + four.join()?, 25);
/// # Ok(())
/// # }
/// ```
pub struct Task<T>(Arc<Inner>, PhantomData<fn() -> T>);

struct Inner {
    order: Arc<Order>,
    /// What it came to, once somebody has asked.
    result: OnceLock<Result<(Message, usize), TaskError>>,
}

impl<T: Output> Task<T> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// Why there is none: see [`TaskError`].
    pub fn join(&self) -> Result<T, TaskError> {
        self.wait(Deadline::NEVER);
        self.result()
    }

    /// [`join`](Self::join), but not longer than `timeout`; `None` if there is no result by then. Python's `get(timeout)`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// #[mp::process_target]
    /// fn forever() {
    ///     loop {
    ///         std::thread::park();
    ///     }
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let task = pool.submit(forever, ())?;
    /// assert!(task.join_timeout(Duration::from_millis(10)).is_none());
    /// task.cancel(); // ends the worker, and another one takes its place
    /// assert!(task.join().unwrap_err().is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Option<Result<T, TaskError>> {
        self.wait(Deadline::after(timeout)).then(|| self.result())
    }

    /// [`join`](Self::join) without waiting; `None` if there is no result yet.
    pub fn try_join(&self) -> Option<Result<T, TaskError>> {
        self.is_ready().then(|| self.result())
    }

    fn result(&self) -> Result<T, TaskError> {
        let facts = || TaskFacts::new(self.0.order.facts(0, self.0.order.attempt(0)));
        let (message, start) = self.0.result.get_or_init(|| taken(&self.0.order)).as_ref().map_err(Clone::clone)?;
        if !message.claim() {
            let why = "it was taken by an earlier join; it holds descriptors and exists only once";
            return Err(TaskError::Undecodable(facts(), Error::invalid(why)));
        }
        let mut decoder = Decoder::resume(message, *start);
        let value = T::decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
        value.map_err(|error| TaskError::Undecodable(facts(), error.context("it does not decode")))
    }

    /// Has `callback` called with this task once it is settled; at once, if it is. It runs on a thread of the library's, one callback after
    /// the other. A panic in it is reported on stderr and does no harm; nor does one that takes long, but to other callbacks.
    ///
    /// ```
    /// # use std::sync::mpsc;
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let (sender, receiver) = mpsc::channel();
    /// pool.submit(square, (5,))?.on_done(move |task| sender.send(task.join()).unwrap());
    /// assert_eq!(receiver.recv().unwrap()?, 25);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_done(&self, callback: impl FnOnce(Self) + Send + 'static) {
        let task = self.again();
        self.0.order.watch.by_callback(Box::new(move || callback(task)));
        if self.is_ready() {
            self.0.order.watch.tell(true);
        }
    }
}

impl<T> Task<T> {
    pub(super) fn new(order: Arc<Order>) -> Self {
        Self(Arc::new(Inner { order, result: OnceLock::new() }), PhantomData)
    }

    fn again(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }

    pub(super) fn order(&self) -> &Arc<Order> {
        &self.0.order
    }

    /// Whether there is a result, or an error.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.order.is_done()
    }

    /// Sees to it that it does not run: it is not begun any more, and if it is running its worker is ended, SIGTERM first, SIGKILL after the
    /// pool's grace time. Its result is [`TaskError::Cancelled`] once that has happened. Returns whether it came in time: not for a task
    /// that is ready.
    pub fn cancel(&self) -> bool {
        self.0.order.cancel()
    }

    /// Waits until there is a result, and leaves it. Returns whether there is.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait(Deadline::after(timeout))
    }

    fn wait(&self, deadline: Deadline) -> bool {
        wait(&self.0.order, deadline)
    }
}

/// Waits until all of an order is settled. Returns whether it is.
pub(super) fn wait(order: &Arc<Order>, deadline: Deadline) -> bool {
    if order.is_done() {
        return true;
    }
    let watcher = Watcher::new();
    order.watch.by_thread(&watcher, 0);
    while !order.is_done() && !deadline.is_over() {
        drive(order, &watcher, deadline);
        watcher.was_told();
    }
    order.watch.without(&watcher);
    order.is_done()
}

/// Waits until the watcher is told, or until the deadline.
pub(super) fn drive(order: &Arc<Order>, watcher: &Arc<Watcher>, deadline: Deadline) {
    match order.driver() {
        Some(driver) => driver.drive(watcher, deadline),
        None => watcher.park(deadline),
    }
}

/// What a settled order of one item came to.
fn taken(order: &Order) -> Result<(Message, usize), TaskError> {
    let (bytes, list) = order.take();
    match list.into_iter().next() {
        Some(Settlement::Values { .. }) => {
            let start = bytes.get(HEADER..).and_then(lengths::first).map_or(0, |(start, _)| start);
            Ok((Message::plain(0, bytes), start))
        }
        Some(Settlement::Message(_, message)) => Ok((*message, 0)),
        Some(Settlement::Failed(_, error)) => Err(*error),
        None => Err(order.cancelled(0)),
    }
}

impl<T: Output> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_ready() {
            self.0.order.watch.by_task(context.waker());
        }
        // It may have become so before the waker was there.
        if self.is_ready() { Poll::Ready(self.result()) } else { Poll::Pending }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("target", &self.0.order.target.name())
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
