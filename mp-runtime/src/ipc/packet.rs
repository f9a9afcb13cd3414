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

/// Takes one message, into this buffer, from one who sends no more descriptors than there is room for.
///
/// # Errors
///
/// As [`try_recv`]; and EMFILE if there was no room after all: the message is gone then.
pub(crate) fn recv_trusted(socket: impl AsFd, buffer: Vec<u8>, wait: Wait) -> Result<Incoming> {
    match recv_whatever(socket, buffer, wait)? {
        Whatever::Message(message) => Ok(Incoming::Message(message)),
        Whatever::Bare(..) => Err(Error::os("receive a descriptor", io::Error::from_raw_os_error(libc::EMFILE))),
        Whatever::Nothing => Ok(Incoming::Nothing),
        Whatever::End => Ok(Incoming::End),
    }
}

/// What came, also where there was no room for what came beside it.
#[derive(Debug)]
pub(crate) enum Whatever {
    Message(Message),
    /// Its kind, and its body behind room for a header. Its descriptors are gone.
    Bare(u8, Vec<u8>),
    /// Nothing, so far.
    Nothing,
    /// Nothing, and the other side is gone.
    End,
}

/// Takes one message, into this buffer, and loses none.
pub(crate) fn recv_whatever(socket: impl AsFd, mut buffer: Vec<u8>, wait: Wait) -> Result<Whatever> {
    buffer.clear();
    buffer.reserve_exact(MAX_FRAME);
    let mut fds = Vec::new();
    let mut receive = || recvmsg::recv(&socket, &mut buffer, &mut fds, wait);
    let received = match receive() {
        // As in `try_recv`.
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => receive(),
        received => received,
    };
    match received {
        Ok(Whole::Yes) if buffer.is_empty() && fds.is_empty() => Ok(Whatever::End),
        Ok(Whole::Yes) => Message::new(buffer, fds).map(Whatever::Message),
        Ok(Whole::FdsLost) => Ok(Whatever::Bare(buffer.get(4).copied().unwrap_or(0), buffer)),
        Ok(Whole::BytesLost) => Err(Error::protocol(format!("a message is longer than {MAX_FRAME} bytes"))),
        Err(error) if would_block(&error) => Ok(Whatever::Nothing),
        Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => Ok(Whatever::End),
        Err(error) => Err(Error::os("receive a message", error)),
    }
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
