//! Why a call of a queue's user ends without an item.

use crate::error::{Error, RecvError, SendError};

#[derive(Debug)]
pub(in crate::ipc) enum Stop {
    /// Nobody is on the other side, or nobody may put.
    Disconnected,
    /// One item cannot be decoded, or encoded.
    Item(Error),
    /// The kernel does not do what is asked, or the memory is damaged.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stop> for SendError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Disconnected => Self::Disconnected,
            Stop::Item(error) => Self::Unencodable(error),
            Stop::Failed(error) if error.raw_os_error().is_some() => Self::Os(error),
            Stop::Failed(error) => Self::Damaged(error),
        }
    }
}

impl From<Stop> for RecvError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Disconnected => Self::Disconnected,
            Stop::Item(error) => Self::Undecodable(error),
            Stop::Failed(error) if error.raw_os_error().is_some() => Self::Os(error),
            Stop::Failed(error) => Self::Damaged(error),
        }
    }
}

/// Where numbers in the memory make no sense.
#[cold]
pub(super) fn damaged() -> Error {
    Error::protocol("a queue is damaged: some process has written where it must not")
}
