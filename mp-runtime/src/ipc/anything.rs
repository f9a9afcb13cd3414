//! Anything, received as everything: for the tests and the fuzzer.

use std::os::fd::{AsFd, BorrowedFd};

use serde::{Deserialize, Serialize};

use super::{Receiver, Sender, end};
use crate::{
    codec::{Handle, sealed},
    error::{RecvError, Result},
    sys::socket::{self, Wait},
};

/// What a peer that may be anyone puts on the socket.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// What is sent.
    pub bytes: &'a [u8],
    /// Beside it first, a sealed memfd with this in it.
    pub memory: Option<&'a [u8]>,
    /// Beside it then, so many sockets.
    pub sockets: u8,
}

/// Handles of several kinds in a value of several shapes.
#[derive(Debug, Serialize, Deserialize)]
enum Carrier {
    File(Handle<std::os::fd::OwnedFd>),
    End(Option<Sender<u8>>),
    Many(Vec<Carrier>),
    Text(String),
}

/// Sends the packets as they are, and receives them as one type after the other, until the end of the stream.
pub fn receive_anything(packets: &[Packet<'_>]) -> Result<()> {
    let (ours, theirs) = end::pair()?;
    let receiver = Receiver::<()>::new(ours);
    for packet in packets {
        // One that does not go (there is no room, or it is longer than the socket takes) is none.
        if send(&theirs, packet).is_ok() {
            receiver.recv_bytes_into(&mut [0; 100]).ok();
            Receiver::<Carrier>::new(receiver.clone().into_end()).try_recv().ok();
        }
    }
    drop(theirs);
    while !matches!(receiver.recv(), Err(RecvError::Disconnected)) {}
    Ok(())
}

fn send(to: impl AsFd, packet: &Packet<'_>) -> std::io::Result<()> {
    let memory = packet.memory.map(sealed).transpose()?;
    let mut fds: Vec<BorrowedFd<'_>> = memory.iter().map(AsFd::as_fd).collect();
    fds.extend((0..packet.sockets).map(|_| to.as_fd()));
    // Twice, to be read as two types.
    socket::send_with(&to, packet.bytes, &fds, Wait::No)?;
    socket::send_with(&to, packet.bytes, &fds, Wait::No)
}
