//! Both directions on one pair of sockets.

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    Iter, Message, Receiver, Sender,
    end::{self, End},
};
use crate::error::{RecvError, Result, SendError};

/// Two connected ends: what one sends, the other receives. Python's `Pipe()`.
///
/// The first end sends values of type `A` and receives such of type `B`, the other one the reverse. They are like two
/// [`channel`](crate::channel())s, in one pair of descriptors.
///
/// # Errors
///
/// EMFILE, where this process may not have two more descriptors.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn lengths(texts: mp::Connection<usize, String>) -> mp::Result<()> {
///     for text in texts.iter() {
///         texts.send(&text?.len())?;
///     }
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (ours, theirs) = mp::pipe::<String, usize>()?;
/// let child = mp::spawn(lengths, (theirs,))?;
/// ours.send(&"four".to_owned())?;
/// assert_eq!(ours.recv()?, 4);
/// drop(ours); // the end of the child's stream
/// child.join()??;
/// # Ok(())
/// # }
/// ```
pub fn pipe<A: Message, B: Message>() -> Result<(Connection<A, B>, Connection<B, A>)> {
    let (one, other) = end::pair()?;
    Ok((Connection::new(one), Connection::new(other)))
}

/// One end of a [`pipe`]: sends values of type `A`, receives such of type `B`.
///
/// Clones are the same end; it is closed when the last of them, in all processes, is dropped or its process has ended.
/// The other side then receives what was sent, and after it the end of the stream.
///
/// Any number of threads and processes may use it at once: a thread that sends and one that receives are the usual
/// way to keep two sides from waiting for each other. What is not here is in its halves, [`sender`](Self::sender) and
/// [`receiver`](Self::receiver). As a descriptor ([`AsFd`]) it is ready when there is a message,
/// or the end of the stream.
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
    pub fn send(&self, value: &A) -> Result<(), SendError> {
        self.sender.send(value)
    }

    /// As [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// As [`Sender::try_send`].
    pub fn try_send(&self, value: &A) -> Result<(), SendError> {
        self.sender.try_send(value)
    }

    /// As [`Sender::send_timeout`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_timeout`].
    pub fn send_timeout(&self, value: &A, timeout: Duration) -> Result<(), SendError> {
        self.sender.send_timeout(value, timeout)
    }
}

impl<A, B: DeserializeOwned> Connection<A, B> {
    /// As [`Receiver::recv`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv`].
    pub fn recv(&self) -> Result<B, RecvError> {
        self.receiver.recv()
    }

    /// As [`Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::try_recv`].
    pub fn try_recv(&self) -> Result<B, RecvError> {
        self.receiver.try_recv()
    }

    /// As [`Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<B, RecvError> {
        self.receiver.recv_timeout(timeout)
    }

    /// As [`Receiver::iter`].
    pub fn iter(&self) -> Iter<'_, B> {
        self.receiver.iter()
    }
}

impl<A, B> Connection<A, B> {
    /// As [`Receiver::poll`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::poll`].
    pub fn poll(&self, timeout: Option<Duration>) -> Result<bool> {
        self.receiver.poll(timeout)
    }

    /// As [`Sender::send_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_bytes`].
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.sender.send_bytes(bytes)
    }

    /// As [`Receiver::recv_bytes`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_bytes`].
    pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.receiver.recv_bytes()
    }

    /// As [`Receiver::recv_bytes_max`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_bytes_max`].
    pub fn recv_bytes_max(&self, most: usize) -> Result<Vec<u8>, RecvError> {
        self.receiver.recv_bytes_max(most)
    }

    /// As [`Receiver::recv_bytes_into`].
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_bytes_into`].
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.receiver.recv_bytes_into(buffer)
    }

    /// The same end, as one that only sends. Neither half closes the end while the other one is there.
    #[must_use]
    pub fn sender(&self) -> &Sender<A> {
        &self.sender
    }

    /// The same end, as one that only receives: to hand it to a thread of its own, for instance.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (ours, theirs) = mp::pipe::<u32, u32>()?;
    /// let answers = ours.receiver().clone();
    /// let reader = std::thread::spawn(move || answers.recv());
    /// ours.send(&1)?;
    /// theirs.send(&(theirs.recv()? + 1))?;
    /// assert_eq!(reader.join().unwrap()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn receiver(&self) -> &Receiver<B> {
        &self.receiver
    }

    pub(super) fn new(end: End) -> Self {
        Self { sender: Sender::new(end.clone()), receiver: Receiver::new(end) }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn into_end(self) -> End {
        self.receiver.into_end()
    }
}

impl<'a, A, B: DeserializeOwned> IntoIterator for &'a Connection<A, B> {
    type Item = Result<B, RecvError>;
    type IntoIter = Iter<'a, B>;

    fn into_iter(self) -> Iter<'a, B> {
        self.iter()
    }
}

impl<A, B> Clone for Connection<A, B> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), receiver: self.receiver.clone() }
    }
}

/// In messages of this library only: what arrives is another descriptor of the same end.
impl<A, B> Serialize for Connection<A, B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.sender.serialize(serializer)
    }
}

impl<'de, A, B> Deserialize<'de> for Connection<A, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self::new)
    }
}

impl<A, B> AsFd for Connection<A, B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl<A, B> fmt::Debug for Connection<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(self.sender.end()).finish()
    }
}
