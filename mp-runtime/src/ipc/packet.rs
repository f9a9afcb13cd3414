//! Whole messages off a SEQPACKET socket.

use std::os::fd::AsFd;

use crate::{
    codec::{MAX_FRAME, Message},
    error::{Error, Result},
    sys::socket,
};

/// What a look at the socket found.
#[derive(Debug)]
pub(crate) enum Incoming {
    Message(Message),
    /// Nothing, so far.
    Nothing,
    /// Nothing, and the other side is gone.
    End,
}

/// Takes one message without waiting for it.
///
/// # Errors
///
/// [`Error::is_protocol`] for what is no message of ours. It is gone then, and so are its descriptors;
/// the next one can still be read.
pub(crate) fn try_recv(socket: impl AsFd) -> Result<Incoming> {
    // Most messages are short: a buffer for the longest would cost more than all the rest, in fresh pages.
    let mut bytes = Vec::new();
    let received = socket::next_length(&socket).and_then(|length| match length {
        None => Ok(None),
        Some(length) => {
            bytes.resize(length.min(MAX_FRAME), 0);
            socket::try_recv(&socket, &mut bytes)
        }
    });
    let received = match received {
        Ok(None) => return Ok(Incoming::Nothing),
        Ok(Some(received)) => received,
        Err(error) if error.raw_os_error() == Some(nix::libc::ECONNRESET) => return Ok(Incoming::End),
        Err(error) => return Err(Error::os("receive a message", error)),
    };
    if received.truncated {
        return Err(Error::protocol(format!(
            "a message is longer than {MAX_FRAME} bytes, or carries too many descriptors"
        )));
    }
    if received.length == 0 && received.fds.is_empty() {
        return Ok(Incoming::End);
    }
    bytes.truncate(received.length);
    Message::new(bytes, received.fds).map(Incoming::Message)
}
