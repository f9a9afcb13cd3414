//! Why a message did not go, or did not come.

use std::fmt;

use super::Error;

/// Why a message was not sent. Nothing of it was: a message goes whole or not at all.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let (sender, receiver) = mp::channel::<u32>()?;
/// drop(receiver);
/// assert!(matches!(sender.send(&1), Err(mp::SendError::Disconnected)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum SendError {
    /// The other end is closed everywhere: nobody can receive any more.
    Disconnected,
    /// There was no room for it in time; for the forms that do not wait, at once.
    TimedOut,
    /// The value cannot be encoded, or holds more descriptors than a message carries.
    Unencodable(Error),
    /// The kernel's error.
    Os(Error),
    /// Only of queues: their memory, which all their users can write, holds what none of them can have written on purpose.
    Damaged(Error),
}

/// Why no message was received.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let (sender, receiver) = mp::channel::<u32>()?;
/// assert!(matches!(receiver.try_recv(), Err(mp::RecvError::TimedOut)));
/// sender.send(&1)?;
/// drop(sender);
/// assert_eq!(receiver.recv()?, 1);
/// assert!(matches!(receiver.recv(), Err(mp::RecvError::Disconnected)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum RecvError {
    /// The other end is closed everywhere, and everything that was sent has been received: the end of the stream.
    Disconnected,
    /// Nothing came in time; for the forms that do not wait, nothing was there.
    TimedOut,
    /// A message came that is no value of this type, or no message at all. It is lost, with its descriptors; the
    /// next one can be received.
    Undecodable(Error),
    /// The message is longer than the buffer that it should go into. Here it is.
    BufferTooShort(Vec<u8>),
    /// The message has this many bytes, more than was allowed. It is lost; the next one can be received.
    TooLong(usize),
    /// The kernel's error.
    ///
    /// EMFILE means that this process has no room for the message's descriptors (`ulimit -n`). It stays where it is, unless
    /// the text says that it is lost: that happens to one that brings more than the limit allows at all, and can
    /// happen with the first message of descriptors that a process receives on an end. A large value is one, too.
    Os(Error),
    /// Only of queues: their memory, which all their users can write, holds what none of them can have written on purpose.
    Damaged(Error),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("cannot send: the other end is closed everywhere"),
            Self::TimedOut => f.write_str("cannot send: there was no room for the message in time"),
            Self::Unencodable(error) | Self::Os(error) | Self::Damaged(error) => write!(f, "cannot send: {error}"),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => {
                f.write_str("cannot receive: the other end is closed everywhere, and nothing is left")
            }
            Self::TimedOut => f.write_str("cannot receive: no message came in time"),
            Self::Undecodable(error) => write!(f, "a message was received and lost: {error}"),
            Self::BufferTooShort(message) => {
                write!(f, "a message of {} bytes does not fit into the buffer; the error holds it", message.len())
            }
            Self::TooLong(length) => write!(f, "a message of {length} bytes is longer than allowed, and was dropped"),
            Self::Os(error) | Self::Damaged(error) => write!(f, "cannot receive: {error}"),
        }
    }
}

/// The same as [`Display`](fmt::Display): it is what `main` prints of an error that it returns.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The same as [`Display`](fmt::Display): it is what `main` prints of an error that it returns.
impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of an inner error is part of this one's.
impl std::error::Error for SendError {}

/// It has no `source`: the text of an inner error is part of this one's.
impl std::error::Error for RecvError {}
