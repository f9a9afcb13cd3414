//! Whole messages off a SEQPACKET socket.

use std::{io, os::fd::AsFd};

use nix::libc;

use crate::{
    codec::{MAX_FRAME, Message},
    error::{Error, Result},
    sys::{
        recvmsg::{self, Whole},
        socket::{Wait, would_block},
    },
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
    // Exactly as much memory as it takes: some messages are kept for long.
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    let mut receive = || {
        let seen = recvmsg::peek(&socket)?;
        if seen.fds_would_be_lost {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        bytes.reserve_exact(seen.length.min(MAX_FRAME));
        recvmsg::recv(&socket, &mut bytes, &mut fds, Wait::No)
    };
    let received = match receive() {
        // Said once, before what is there, of a peer that went away and left messages unread.
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => receive(),
        received => received,
    };
    match received {
        Ok(Whole::Yes) if bytes.is_empty() && fds.is_empty() => Ok(Incoming::End),
        Ok(Whole::Yes) => Message::new(bytes, fds).map(Incoming::Message),
        Ok(Whole::FdsLost | Whole::BytesLost) => {
            Err(Error::protocol(format!("a message is longer than {MAX_FRAME} bytes, or carries too many descriptors")))
        }
        Err(error) if would_block(&error) => Ok(Incoming::Nothing),
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(Incoming::End),
        Err(error) => Err(Error::os("receive a message", error)),
    }
}
