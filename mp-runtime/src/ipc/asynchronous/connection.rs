//! One end of a pipe, for async programs.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use ::tokio::io::Interest;
use futures_core::Stream;
use futures_sink::Sink;
use serde::{Serialize, de::DeserializeOwned};

use super::{super::Connection as Blocking, Receiver, Sender, driven::Driven};
use crate::error::{RecvError, Result, SendError};

/// A [`Connection`](crate::Connection) for async programs, made by [`into_async`](crate::Connection::into_async).
///
/// It is a [`Stream`] of what comes and a [`Sink`] of what goes, as [`Receiver`] and [`Sender`] are.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn double(numbers: mp::Connection<u64, u32>) -> mp::Result<()> {
///     for number in &numbers {
///         numbers.send(&(2 * u64::from(number?)))?;
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mp::Result<()> {
/// let (ours, theirs) = mp::pipe::<u32, u64>()?;
/// let child = mp::spawn(double, (theirs,))?;
/// let ours = ours.into_async()?;
/// let (sent, doubled) = tokio::join!(ours.send(&21), ours.recv());
/// sent?;
/// assert_eq!(doubled?, 42);
/// drop(ours);
/// child.join_async().await??;
/// # Ok(())
/// # }
/// ```
pub struct Connection<A, B> {
    sender: Sender<A>,
    receiver: Receiver<B>,
}

impl<A: Serialize, B> Connection<A, B> {
    /// As [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    pub fn send(&self, value: &A) -> impl Future<Output = Result<(), SendError>> + use<'_, A, B> {
        self.sender.send(value)
    }
}

impl<A, B: DeserializeOwned> Connection<A, B> {
    /// As [`Receiver::recv`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    pub async fn recv(&self) -> Result<B, RecvError> {
        self.receiver.recv().await
    }
}

impl<A, B> Connection<A, B> {
    /// As [`Sender::send_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_bytes`].
    pub fn send_bytes(&self, bytes: &[u8]) -> impl Future<Output = Result<(), SendError>> + use<'_, A, B> {
        self.sender.send_bytes(bytes)
    }

    /// As [`Receiver::recv_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_bytes`].
    pub async fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.receiver.recv_bytes().await
    }

    /// The two directions, each for a task of its own. The end is closed when both are dropped.
    #[must_use]
    pub fn into_split(self) -> (Sender<A>, Receiver<B>) {
        (self.sender, self.receiver)
    }

    /// The blocking end again.
    #[must_use]
    pub fn into_blocking(self) -> Blocking<A, B> {
        drop(self.sender);
        Blocking::new(self.receiver.into_blocking().into_end())
    }
}

impl<A, B> Blocking<A, B> {
    /// The same end for async programs; must be called from a task of the runtime that will wait for it.
    ///
    /// Its two directions are watched apart from each other, so it has a descriptor more than the blocking one.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime; EMFILE. This end is closed then.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`.
    pub fn into_async(self) -> Result<Connection<A, B>> {
        let end = self.into_end();
        let sender = Sender::from_driven(Driven::new(end.clone(), Interest::WRITABLE)?);
        let receiver = Receiver::from_driven(Driven::new(end, Interest::READABLE)?);
        Ok(Connection { sender, receiver })
    }
}

impl<A, B: DeserializeOwned> Stream for Connection<A, B> {
    type Item = Result<B, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.receiver).poll_next(context)
    }
}

impl<A: Serialize, B> Sink<A> for Connection<A, B> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_ready(context)
    }

    fn start_send(mut self: Pin<&mut Self>, value: A) -> Result<(), SendError> {
        Pin::new(&mut self.sender).start_send(value)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Pin::new(&mut self.sender).poll_close(context)
    }
}

impl<A, B> fmt::Debug for Connection<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.receiver.driven).finish()
    }
}
