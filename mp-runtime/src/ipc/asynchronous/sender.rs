//! The sending end of a channel, for async programs.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::tokio::io::Interest;
use futures_sink::Sink;
use serde::Serialize;

use super::{
    super::{
        Sender as Blocking,
        sender::{encode, encode_bytes},
    },
    driven::Driven,
};
use crate::{
    codec::Encoded,
    error::{Result, SendError},
};

/// A [`Sender`](crate::Sender) for async programs, made by [`into_async`](crate::Sender::into_async).
///
/// As a [`Sink`] it holds at most one message that is not sent yet; it goes with the next flush, or is lost with the sink,
/// also in [`into_blocking`](Self::into_blocking). To close the sink sends it; the end is closed when it is dropped.
///
/// Any number of tasks may send at once, by reference. (`SinkExt::send`, which takes the value, is hidden by
/// [`send`](Self::send), which does not; `feed`, `send_all` and the rest are there.)
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn add_up(numbers: mp::Receiver<u32>) -> mp::Result<u32> {
///     numbers.iter().try_fold(0, |sum, number| Ok(sum + number?))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mp::Result<()> {
/// let (sender, numbers) = mp::channel()?;
/// let child = mp::spawn(add_up, (numbers,))?;
/// let sender = sender.into_async()?;
/// for number in 1..=3 {
///     sender.send(&number).await?;
/// }
/// drop(sender);
/// assert_eq!(child.join_async().await??, 6);
/// # Ok(())
/// # }
/// ```
pub struct Sender<T> {
    pub(super) driven: Driven,
    /// As a sink: what is not sent yet.
    waiting: Option<Encoded>,
    message: PhantomData<fn(&T)>,
}

impl<T: Serialize> Sender<T> {
    /// As [`Sender::send`](crate::Sender::send). The value is encoded at once, and sent in the moment in which the
    /// future is ready: one that is dropped before has sent nothing.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`](crate::Sender::send); where too many descriptors of this user are on their way, it does not wait:
    /// [`SendError::Os`] with ETOOMANYREFS.
    pub fn send(&self, value: &T) -> impl Future<Output = Result<(), SendError>> + use<'_, T> {
        let message = encode(value);
        async move { self.driven.send(message?).await }
    }
}

impl<T> Sender<T> {
    /// As [`Sender::send_bytes`](crate::Sender::send_bytes), and safe to drop as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`Sender::send_bytes`](crate::Sender::send_bytes).
    pub fn send_bytes(&self, bytes: &[u8]) -> impl Future<Output = Result<(), SendError>> + use<'_, T> {
        let message = encode_bytes(bytes);
        async move { self.driven.send(message?).await }
    }

    /// The blocking end again.
    #[must_use]
    pub fn into_blocking(self) -> Blocking<T> {
        Blocking::new(self.driven.into_end())
    }

    pub(super) fn from_driven(driven: Driven) -> Self {
        Self { driven, waiting: None, message: PhantomData }
    }

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if let Some(message) = &mut self.waiting {
            let sent = ready!(self.driven.poll_send(context, message));
            self.waiting = None;
            sent?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> Blocking<T> {
    /// The same end for async programs; must be called from a task of the runtime that will wait for it.
    ///
    /// Where clones of this one exist, the async one takes a descriptor of its own.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime; EMFILE. This end is closed then.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`.
    pub fn into_async(self) -> Result<Sender<T>> {
        Ok(Sender::from_driven(Driven::new(self.into_end(), Interest::WRITABLE)?))
    }
}

impl<T: Serialize> Sink<T> for Sender<T> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_waiting(context)
    }

    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), SendError> {
        let this = self.get_mut();
        if let Some(waiting) = &mut this.waiting {
            // Not asked for by `poll_ready`: it goes now or never.
            if !this.driven.attempt(waiting)? {
                return Err(SendError::TimedOut);
            }
        }
        this.waiting = Some(encode(&value)?);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_waiting(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_waiting(context)
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.driven).finish()
    }
}
