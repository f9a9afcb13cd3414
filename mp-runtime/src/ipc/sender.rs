//! The sending end of a channel.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Message, Receiver,
    end::{self, End, unencodable},
    message::kind,
};
#[cfg(feature = "tokio")]
use crate::codec::Encoded;
use crate::{
    codec::Encoder,
    error::{Result, SendError},
    sys::poll::Deadline,
};

/// A channel for values of one type, from any number of senders to any number of receivers.
///
/// Both ends can be cloned, and passed to other processes as arguments, results or parts of messages. A message goes
/// to one receiver, whole, and in the order in which it was sent.
///
/// What is on its way lies in the kernel: some 280 messages of a few bytes, 90 of a KiB; of those that are too large for
/// the socket (64 KiB), 16 MiB and not more than 32, or four if they are larger than that. Then senders wait, and go on
/// when three quarters of the room are free.
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
/// fn send_squares(upto: u64, results: mp::Sender<u64>) -> mp::Result<()> {
///     for n in 1..=upto {
///         results.send(&(n * n))?;
///     }
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (sender, receiver) = mp::channel()?;
/// let child = mp::spawn(send_squares, (3, sender))?; // ours is closed: only the child's is left
/// let squares: Result<Vec<u64>, _> = receiver.iter().collect(); // until the child has closed its own
/// assert_eq!(squares?, [1, 4, 9]);
/// child.join()??;
/// # Ok(())
/// # }
/// ```
///
/// Several senders, several receivers. Who makes clones drops the ends that it does not use itself:
///
/// ```
/// # use multiprocess as mp;
/// #[mp::process_target]
/// fn double(numbers: mp::Receiver<u64>, doubled: mp::Sender<u64>) -> mp::Result<()> {
///     numbers.iter().try_for_each(|number| Ok(doubled.send(&(2 * number?))?))
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (numbers_to, numbers) = mp::channel()?;
/// let (doubled_to, doubled) = mp::channel()?;
/// for _ in 0..2 {
///     mp::spawn(double, (numbers.clone(), doubled_to.clone()))?.detach();
/// }
/// drop((numbers, doubled_to)); // else `doubled` never ends, and a send to nobody never fails
/// (1..=10).try_for_each(|number| numbers_to.send(&number))?;
/// drop(numbers_to);
/// let sum: Result<u64, mp::RecvError> = doubled.iter().sum();
/// assert_eq!(sum?, 110);
/// # Ok(())
/// # }
/// ```
pub fn channel<T: Message>() -> Result<(Sender<T>, Receiver<T>)> {
    let (sender, receiver) = end::pair()?;
    Ok((Sender::new(sender), Receiver::new(receiver)))
}

/// The sending end of a [`channel`].
///
/// Clones are the same end; it is closed when the last of them, in all processes, is dropped or its process has ended.
/// A receiver then sees the end of the stream. So drop what you do not use: as long as *this* process keeps a sender,
/// its own receiver waits.
///
/// Any number of threads and processes may send at once. As a descriptor ([`AsFd`]) it is ready when all
/// receivers are gone.
pub struct Sender<T> {
    end: End,
    message: PhantomData<fn(&T)>,
}

impl<T: Serialize> Sender<T> {
    /// Sends a copy of `value`; waits while there is no room for it.
    ///
    /// When it returns, the message is where a receiver finds it, even if this process is killed at once. A process
    /// that is killed before has sent nothing.
    ///
    /// Of a handle inside the value, a copy goes: this process's own stays open until it is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] when all receivers are gone, also while it waits; [`SendError::Unencodable`];
    /// [`SendError::Os`] with EMFILE, where this process may not have a copy of a handle or the memory of a large value.
    /// Where too many descriptors of this user are on their way, it waits until there are fewer.
    pub fn send(&self, value: &T) -> Result<(), SendError> {
        self.put(value, Deadline::NEVER)
    }

    /// [`send`](Self::send), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`] if there is no room, [`SendError::Os`] with ETOOMANYREFS if too many descriptors of this
    /// user are on their way, and those of [`send`](Self::send).
    pub fn try_send(&self, value: &T) -> Result<(), SendError> {
        self.send_timeout(value, Duration::ZERO)
    }

    /// [`send`](Self::send), but it waits for room no longer than `timeout`, however large the value is. To encode it
    /// takes its time all the same.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`] if there was no room in time, [`SendError::Os`] with ETOOMANYREFS if too many descriptors of
    /// this user were on their way all the time, and those of [`send`](Self::send).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel()?; // of which nobody receives
    /// let error = loop {
    ///     match sender.send_timeout(&vec![0; 10_000], Duration::from_millis(1)) {
    ///         Ok(()) => continue,
    ///         Err(error) => break error,
    ///     }
    /// };
    /// assert!(matches!(error, mp::SendError::TimedOut));
    /// # drop(receiver);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_timeout(&self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.put(value, Deadline::after(timeout))
    }

    fn put(&self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        self.end.send(written(value)?, kind::VALUE, deadline)
    }
}

impl<T> Sender<T> {
    /// Sends bytes as they are, as one message; waits while there is no room for it. The other side must
    /// [receive bytes](Receiver::recv_bytes). No bytes at all are a message, too.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel::<()>()?;
    /// sender.send_bytes(b"as they are")?;
    /// assert_eq!(receiver.recv_bytes()?, b"as they are");
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.put_bytes(bytes, Deadline::NEVER)
    }

    /// [`send_bytes`](Self::send_bytes), but it does not wait.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_send_bytes(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_bytes_timeout(bytes, Duration::ZERO)
    }

    /// [`send_bytes`](Self::send_bytes), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout).
    pub fn send_bytes_timeout(&self, bytes: &[u8], timeout: Duration) -> Result<(), SendError> {
        self.put_bytes(bytes, Deadline::after(timeout))
    }

    fn put_bytes(&self, bytes: &[u8], deadline: Deadline) -> Result<(), SendError> {
        self.end.send(written_bytes(bytes)?, kind::BYTES, deadline)
    }

    pub(super) fn new(end: End) -> Self {
        Self { end, message: PhantomData }
    }

    pub(super) fn end(&self) -> &End {
        &self.end
    }

    #[cfg(feature = "tokio")]
    pub(super) fn into_end(self) -> End {
        self.end
    }
}

/// The message that carries `value`.
#[cfg(feature = "tokio")]
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Encoded, SendError> {
    end::finish(written(value)?, kind::VALUE)
}

/// The message that carries bytes as they are.
#[cfg(feature = "tokio")]
pub(super) fn encode_bytes(bytes: &[u8]) -> Result<Encoded, SendError> {
    end::finish(written_bytes(bytes)?, kind::BYTES)
}

#[inline]
fn written<T: Serialize>(value: &T) -> Result<Encoder, SendError> {
    let mut encoder = Encoder::default();
    encoder.put(value).map_err(unencodable)?;
    Ok(encoder)
}

fn written_bytes(bytes: &[u8]) -> Result<Encoder, SendError> {
    let mut encoder = Encoder::default();
    encoder.put_bytes(bytes).map_err(unencodable)?;
    Ok(encoder)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self::new(self.end.clone())
    }
}

/// In messages of this library only: what arrives is another descriptor of the same end.
impl<T> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.end.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self::new)
    }
}

impl<T> AsFd for Sender<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.end).finish()
    }
}
