//! The sides of a queue, for async programs.

use std::{
    fmt,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    task,
};
use futures_core::Stream;
use serde::{Serialize, de::DeserializeOwned};

use super::super::{
    iter::item,
    queue::{
        QueueReceiver as BlockingReceiver, QueueSender as BlockingSender,
        end::{Attempt, End},
        sender,
        stop::Stop,
    },
    receiver::decode,
};
use crate::{
    codec::Message,
    error::{Error, RecvError, Result, SendError},
    sys::{async_fd, fcntl},
};

/// How often to look for what nobody tells of: see [`Attempt::Scarce`].
const LOOK: Duration = Duration::from_millis(10);

/// A side whose waits are the runtime's.
struct Driven {
    end: Arc<End>,
    /// A copy of its descriptor, as clones of the handle may be driven too.
    watched: AsyncFd<OwnedFd>,
}

impl Driven {
    fn new(end: &Arc<End>) -> Result<Self> {
        let doing = |error: std::io::Error| Error::os("hand a queue to the runtime", error);
        let fd = fcntl::duplicate(end.control()).map_err(doing)?;
        let watched = async_fd::watch(fd, Interest::READABLE).map_err(doing)?;
        Ok(Self { end: Arc::clone(end), watched })
    }

    /// Tries until it is done, or the other side is gone; for any number of tasks at a time.
    async fn wait<R>(&self, mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>) -> Result<Attempt<R>, Stop> {
        loop {
            match attempt() {
                Ok(Attempt::NotYet) => {}
                other => return other,
            }
            let mut guard = self.watched.readable().await.map_err(wait_failed)?;
            match self.look(&mut attempt)? {
                Looked::Done(done) => return Ok(done),
                Looked::Again => {}
                Looked::Later => guard.clear_ready(),
            }
        }
    }

    /// The same for one task at a time: only the last one that asked is woken.
    fn poll<R>(
        &self,
        context: &mut Context<'_>,
        mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>,
    ) -> Poll<Result<Attempt<R>, Stop>> {
        loop {
            match attempt() {
                Ok(Attempt::NotYet) => {}
                other => return Poll::Ready(other),
            }
            let mut guard = ready!(self.watched.poll_read_ready(context)).map_err(wait_failed)?;
            match self.look(&mut attempt)? {
                Looked::Done(done) => return Poll::Ready(Ok(done)),
                Looked::Again => {}
                Looked::Later => guard.clear_ready(),
            }
        }
    }

    /// What there is when the descriptor has told of something.
    fn look<R>(&self, mut attempt: impl FnMut() -> Result<Attempt<R>, Stop>) -> Result<Looked<R>, Stop> {
        let is_over = self.end.is_over()?;
        match attempt()? {
            // What came before the end is still there.
            Attempt::NotYet if is_over => Err(Stop::Disconnected),
            // Only when the next change is sure to be told may this one be forgotten.
            Attempt::NotYet if self.end.settle()? => Ok(Looked::Again),
            Attempt::NotYet => Ok(Looked::Later),
            done => Ok(Looked::Done(done)),
        }
    }
}

enum Looked<R> {
    Done(Attempt<R>),
    /// Something is there, or was a moment ago.
    Again,
    /// It will be told.
    Later,
}

fn wait_failed(error: std::io::Error) -> Stop {
    Stop::Failed(Error::os("wait for a queue", error))
}

/// A [`QueueReceiver`](crate::QueueReceiver) for async programs, made by [`into_async`](crate::QueueReceiver::into_async).
///
/// As a [`Stream`] it yields what [`QueueReceiver::iter`](crate::QueueReceiver::iter) does. Any number of tasks may get at once, by reference.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn count(upto: u32, to: mp::QueueSender<u32>) -> mp::Result<()> {
///     Ok(to.put_many(1..=upto)?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mp::Result<()> {
/// let (to, numbers) = mp::Queue::unbounded()?.split();
/// let child = mp::spawn(count, (3, to))?;
/// let numbers = numbers.into_async()?;
/// let mut sum = 0;
/// loop {
///     match numbers.get().await {
///         Ok(number) => sum += number,
///         Err(mp::RecvError::Disconnected) => break,
///         Err(error) => return Err(error.into()),
///     }
/// }
/// child.join_async().await??;
/// assert_eq!(sum, 6);
/// # Ok(())
/// # }
/// ```
pub struct QueueReceiver<T> {
    driven: Driven,
    blocking: BlockingReceiver<T>,
    /// As a stream.
    ended: bool,
}

impl<T: DeserializeOwned> QueueReceiver<T> {
    /// As [`QueueReceiver::get`](crate::QueueReceiver::get). The future takes an item in the moment in which it is ready: one that is dropped before has
    /// taken none.
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::get`](crate::QueueReceiver::get).
    pub async fn get(&self) -> Result<T, RecvError> {
        task::consume_budget().await;
        got(self.driven.wait(|| self.driven.end.try_get()).await)
    }
}

fn got<T: DeserializeOwned>(waited: Result<Attempt<Message>, Stop>) -> Result<T, RecvError> {
    match waited? {
        Attempt::Done(message) => decode(message),
        _ => Err(RecvError::Disconnected),
    }
}

impl<T> QueueReceiver<T> {
    /// The blocking side again.
    #[must_use]
    pub fn into_blocking(self) -> BlockingReceiver<T> {
        self.blocking
    }
}

impl<T> BlockingReceiver<T> {
    /// The same side for async programs; must be called from a task of the runtime that will wait for it. It takes a descriptor more.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime; EMFILE.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`.
    pub fn into_async(self) -> Result<QueueReceiver<T>> {
        Ok(QueueReceiver { driven: Driven::new(&self.end)?, blocking: self, ended: false })
    }
}

impl<T: DeserializeOwned> Stream for QueueReceiver<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let got = got(ready!(self.driven.poll(context, || self.driven.end.try_get())));
        Poll::Ready(item(got, &mut self.ended))
    }
}

impl<T> fmt::Debug for QueueReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueReceiver").field(&self.blocking).finish()
    }
}

/// A [`QueueSender`](crate::QueueSender) for async programs, made by [`into_async`](crate::QueueSender::into_async).
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn sum(numbers: mp::QueueReceiver<u32>) -> mp::Result<u32> {
///     Ok(numbers.iter().sum::<Result<_, _>>()?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mp::Result<()> {
/// let (to, numbers) = mp::Queue::bounded(2)?.split();
/// let child = mp::spawn(sum, (numbers,))?;
/// let to = to.into_async()?;
/// for number in 1..=10 {
///     to.put(&number).await?; // waits while the queue is full, and the runtime does something else
/// }
/// drop(to);
/// assert_eq!(child.join_async().await??, 55);
/// # Ok(())
/// # }
/// ```
pub struct QueueSender<T> {
    driven: Driven,
    blocking: BlockingSender<T>,
}

impl<T: Serialize> QueueSender<T> {
    /// As [`QueueSender::put`](crate::QueueSender::put). A future that is dropped before it is ready has put nothing.
    ///
    /// # Errors
    ///
    /// As [`QueueSender::put`](crate::QueueSender::put).
    pub async fn put(&self, value: &T) -> Result<(), SendError> {
        task::consume_budget().await;
        let item = sender::Written::new(value)?;
        if self.driven.end.is_found_over().map_err(SendError::Os)? {
            return Err(SendError::Disconnected);
        }
        let fds = item.descriptors();
        let mut item = item.outgoing(&fds);
        loop {
            match self.driven.wait(|| self.driven.end.try_put(&mut item)).await? {
                Attempt::Done(()) => return Ok(()),
                Attempt::Scarce if !self.driven.end.is_over().map_err(SendError::Os)? => {
                    // Nothing wakes who waits for that: not for long does a thread of the runtime's sleep.
                    drop(task::spawn_blocking(|| thread::sleep(LOOK)).await);
                }
                _ => return Err(SendError::Disconnected),
            }
        }
    }
}

impl<T> QueueSender<T> {
    /// The blocking side again.
    #[must_use]
    pub fn into_blocking(self) -> BlockingSender<T> {
        self.blocking
    }
}

impl<T> BlockingSender<T> {
    /// The same side for async programs; must be called from a task of the runtime that will wait for it. It takes a descriptor more.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime; EMFILE.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`.
    pub fn into_async(self) -> Result<QueueSender<T>> {
        Ok(QueueSender { driven: Driven::new(&self.end)?, blocking: self })
    }
}

impl<T> fmt::Debug for QueueSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("QueueSender").field(&self.blocking).finish()
    }
}
