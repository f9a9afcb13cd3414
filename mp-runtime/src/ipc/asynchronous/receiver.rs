//! The receiving end of a channel, for async programs.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::tokio::io::Interest;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::{
    super::{
        Receiver as Blocking,
        iter::item,
        receiver::{decode, decode_bytes},
    },
    driven::Driven,
};
use crate::error::{RecvError, Result};

/// A [`Receiver`](crate::Receiver) for async programs, made by [`into_async`](crate::Receiver::into_async).
///
/// As a [`Stream`] it yields what [`Receiver::iter`](crate::Receiver::iter) does: the messages until the end, and
/// errors, after which it ends unless they were about one message only.
///
/// Any number of tasks may receive at once, by reference.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn count(upto: u32, to: mp::Sender<u32>) -> mp::Result<()> {
///     (1..=upto).try_for_each(|number| Ok(to.send(&number)?))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> mp::Result<()> {
/// let (to, numbers) = mp::channel()?;
/// let child = mp::spawn(count, (3, to))?;
/// let numbers = numbers.into_async()?;
/// let mut sum = 0;
/// loop {
///     match numbers.recv().await {
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
pub struct Receiver<T> {
    pub(super) driven: Driven,
    /// As a stream.
    ended: bool,
    message: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Receiver<T> {
    /// As [`Receiver::recv`](crate::Receiver::recv). The future takes a message in the moment in which it is ready:
    /// one that is dropped before has taken none.
    ///
    /// A large message is decoded within one poll.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`](crate::Receiver::recv).
    pub async fn recv(&self) -> Result<T, RecvError> {
        decode(self.driven.recv().await?)
    }
}

impl<T> Receiver<T> {
    /// As [`Receiver::recv_bytes`](crate::Receiver::recv_bytes), and safe to drop as [`recv`](Self::recv).
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_bytes`](crate::Receiver::recv_bytes).
    pub async fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        decode_bytes(self.driven.recv().await?)
    }

    /// The blocking end again.
    #[must_use]
    pub fn into_blocking(self) -> Blocking<T> {
        Blocking::new(self.driven.into_end())
    }

    pub(super) fn from_driven(driven: Driven) -> Self {
        Self { driven, ended: false, message: PhantomData }
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
    pub fn into_async(self) -> Result<Receiver<T>> {
        Ok(Receiver::from_driven(Driven::new(self.into_end(), Interest::READABLE)?))
    }
}

impl<T: DeserializeOwned> Stream for Receiver<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let received = ready!(self.driven.poll_recv(context)).and_then(decode);
        Poll::Ready(item(received, &mut self.ended))
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.driven).finish()
    }
}
