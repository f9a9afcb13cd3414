//! The receiving end of a channel.

use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{IntoIter, Iter, end::End, message::kind};
use crate::{
    codec::{Bytes, Decoder, Message},
    error::{Error, RecvError, Result},
    sys::poll::Deadline,
};

/// The receiving end of a [`channel`](crate::channel).
///
/// Clones are the same end: each message goes to one of them. It is closed when the last of them, in all processes, is
/// dropped or its process has ended; senders then get [`SendError::Disconnected`](crate::SendError::Disconnected).
///
/// Any number of threads and processes may receive at once. A message that was taken by a process that is then killed
/// is lost with it. As a descriptor ([`AsFd`]) it is ready when there is a
/// message, or the end of the stream.
pub struct Receiver<T> {
    end: End,
    message: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Receiver<T> {
    /// Takes the next message; waits for one.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] when nothing is left and all senders are gone, however they ended;
    /// [`RecvError::Undecodable`]; [`RecvError::Os`], with EMFILE where this process has no room for the message's descriptors.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.take(Deadline::NEVER)
    }

    /// [`recv`](Self::recv), but it does not wait.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if there is nothing, and those of [`recv`](Self::recv).
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.recv_timeout(Duration::ZERO)
    }

    /// [`recv`](Self::recv), but it waits no longer than `timeout`. That is for the whole message: it comes at once or not at all.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if nothing came in time, and those of [`recv`](Self::recv).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel::<u8>()?;
    /// let error = receiver.recv_timeout(Duration::from_millis(5)).unwrap_err();
    /// assert!(matches!(error, mp::RecvError::TimedOut));
    /// # drop(sender);
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.take(Deadline::after(timeout))
    }

    /// The messages, as they come, until the end of the stream.
    ///
    /// A message that does not decode is an `Err`, and the next one follows. After any other error it ends.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel()?;
    /// (1..=3).try_for_each(|n: u8| sender.send(&n))?;
    /// drop(sender);
    /// for number in &receiver {
    ///     println!("{}", number?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    fn take(&self, deadline: Deadline) -> Result<T, RecvError> {
        decode(self.end.recv(deadline)?)
    }
}

impl<T> Receiver<T> {
    /// Waits until there is a message, or the end of the stream; for ever, if `timeout` is `None`. Takes nothing.
    ///
    /// Another receiver may be faster: only who is the only one can rely on [`try_recv`](Self::try_recv) then.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel()?;
    /// assert!(!receiver.poll(Some(Duration::ZERO))?);
    /// sender.send(&1)?;
    /// assert!(receiver.poll(None)?);
    /// assert_eq!(receiver.try_recv()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll(&self, timeout: Option<Duration>) -> Result<bool> {
        Ok(self.end.poll(timeout.map_or(Deadline::NEVER, Deadline::after))?)
    }

    /// Takes the next message, which must be [bytes](crate::Sender::send_bytes); waits for one.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.take_bytes(Deadline::NEVER)
    }

    /// [`recv_bytes`](Self::recv_bytes), but it does not wait.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_bytes(&self) -> Result<Vec<u8>, RecvError> {
        self.recv_bytes_timeout(Duration::ZERO)
    }

    /// [`recv_bytes`](Self::recv_bytes), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Self::recv_timeout).
    pub fn recv_bytes_timeout(&self, timeout: Duration) -> Result<Vec<u8>, RecvError> {
        self.take_bytes(Deadline::after(timeout))
    }

    /// [`recv_bytes`](Self::recv_bytes), but not more than `most`: a longer message is dropped before any memory is
    /// used for it. Python's `recv_bytes(maxlength)`.
    ///
    /// # Errors
    ///
    /// [`RecvError::TooLong`], after which the next message can be received, and those of [`recv`](Self::recv).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel::<()>()?;
    /// sender.send_bytes(&[0; 1000])?;
    /// sender.send_bytes(&[1; 10])?;
    /// assert!(matches!(receiver.recv_bytes_max(100), Err(mp::RecvError::TooLong(1000))));
    /// assert_eq!(receiver.recv_bytes_max(100)?, [1; 10]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv_bytes_max(&self, most: usize) -> Result<Vec<u8>, RecvError> {
        self.take_bytes_max(most, Deadline::NEVER)
    }

    /// [`recv_bytes_max`](Self::recv_bytes_max), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`recv_bytes_max`](Self::recv_bytes_max) and [`recv_timeout`](Self::recv_timeout).
    pub fn recv_bytes_max_timeout(&self, most: usize, timeout: Duration) -> Result<Vec<u8>, RecvError> {
        self.take_bytes_max(most, Deadline::after(timeout))
    }

    /// Takes the next message, which must be [bytes](crate::Sender::send_bytes), into `buffer`; waits for one. Returns
    /// how long it is.
    ///
    /// # Errors
    ///
    /// [`RecvError::BufferTooShort`], which holds a message that is longer than the buffer, and those of
    /// [`recv`](Self::recv).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (sender, receiver) = mp::channel::<()>()?;
    /// sender.send_bytes(b"short")?;
    /// sender.send_bytes(b"quite long")?;
    /// let mut buffer = [0; 8];
    /// assert_eq!(receiver.recv_bytes_into(&mut buffer)?, 5);
    /// match receiver.recv_bytes_into(&mut buffer) {
    ///     Err(mp::RecvError::BufferTooShort(message)) => assert_eq!(message, b"quite long"),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv_bytes_into(&self, buffer: &mut [u8]) -> Result<usize, RecvError> {
        self.take_bytes_into(buffer, Deadline::NEVER)
    }

    /// [`recv_bytes_into`](Self::recv_bytes_into), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`recv_bytes_into`](Self::recv_bytes_into) and [`recv_timeout`](Self::recv_timeout).
    pub fn recv_bytes_into_timeout(&self, buffer: &mut [u8], timeout: Duration) -> Result<usize, RecvError> {
        self.take_bytes_into(buffer, Deadline::after(timeout))
    }

    fn take_bytes_max(&self, most: usize, deadline: Deadline) -> Result<Vec<u8>, RecvError> {
        self.bytes(deadline, |bytes| match bytes.len() {
            length if length > most => Err(RecvError::TooLong(length)),
            _ => to_vec(bytes),
        })
    }

    fn take_bytes_into(&self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, RecvError> {
        self.bytes(deadline, |bytes| match buffer.get_mut(..bytes.len()) {
            Some(buffer) => bytes.read(buffer).map(|()| bytes.len()).map_err(undecodable),
            None => Err(bytes.to_vec().map_or_else(undecodable, RecvError::BufferTooShort)),
        })
    }

    fn take_bytes(&self, deadline: Deadline) -> Result<Vec<u8>, RecvError> {
        self.bytes(deadline, to_vec)
    }

    fn bytes<R>(
        &self,
        deadline: Deadline,
        read: impl FnOnce(Bytes<'_>) -> Result<R, RecvError>,
    ) -> Result<R, RecvError> {
        read_bytes(self.end.recv(deadline)?, read)
    }

    #[cfg(test)]
    pub(super) fn end(&self) -> &End {
        &self.end
    }

    #[cfg(any(feature = "tokio", feature = "faults", test))]
    pub(super) fn into_end(self) -> End {
        self.end
    }

    pub(super) fn new(end: End) -> Self {
        Self { end, message: PhantomData }
    }
}

/// The value in a message.
pub(super) fn decode<T: DeserializeOwned>(message: Message) -> Result<T, RecvError> {
    if message.kind() != kind::VALUE {
        return Err(not_a_value(type_name::<T>()));
    }
    let value = Decoder::new(&message).take_last().map_err(undecodable)?;
    message.recycle();
    Ok(value)
}

/// The bytes in a message, as `read` has them.
fn read_bytes<R>(message: Message, read: impl FnOnce(Bytes<'_>) -> Result<R, RecvError>) -> Result<R, RecvError> {
    let mut decoder = Decoder::new(&message);
    if message.kind() != kind::BYTES {
        return Err(undecodable(Error::decode("it is no bytes, sent by `send_bytes`, as are expected")));
    }
    let bytes = decoder.take_bytes().map_err(undecodable)?;
    decoder.finish().map_err(undecodable)?;
    let read = read(bytes)?;
    message.recycle();
    Ok(read)
}

/// The bytes in a message.
#[cfg(feature = "tokio")]
pub(super) fn decode_bytes(message: Message) -> Result<Vec<u8>, RecvError> {
    read_bytes(message, to_vec)
}

fn to_vec(bytes: Bytes<'_>) -> Result<Vec<u8>, RecvError> {
    bytes.to_vec().map_err(undecodable)
}

#[cold]
fn not_a_value(expected: &str) -> RecvError {
    RecvError::Undecodable(Error::decode(format!(
        "it is no value, sent by `send`, and one of type `{expected}` is expected"
    )))
}

#[cold]
fn undecodable(error: Error) -> RecvError {
    RecvError::Undecodable(error)
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Receiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: DeserializeOwned> IntoIterator for Receiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(self.end.clone())
    }
}

/// In messages of this library only: what arrives is another descriptor of the same end.
impl<T> Serialize for Receiver<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.end.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        End::deserialize(deserializer).map(Self::new)
    }
}

impl<T> AsFd for Receiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.end).finish()
    }
}
