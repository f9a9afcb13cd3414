//! Anything, received as everything: for the tests and the fuzzer.

use std::os::fd::{AsFd, BorrowedFd};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
/// Returns how many were values.
pub fn receive_anything(packets: &[Packet<'_>]) -> Result<usize> {
    let (ours, theirs) = end::pair()?;
    let mut values = 0;
    for packet in packets {
        // One that does not go (there is no room, or it is longer than the socket takes) is none.
        if send(&theirs, packet).is_ok() {
            values += receive_some(&Receiver::<()>::new(ours.clone()));
        }
    }
    drop(theirs);
    let receiver = Receiver::<()>::new(ours);
    while !matches!(receiver.recv(), Err(RecvError::Disconnected)) {}
    Ok(values)
}

fn send(to: impl AsFd, packet: &Packet<'_>) -> std::io::Result<()> {
    let memory = packet.memory.map(sealed).transpose()?;
    let mut fds: Vec<BorrowedFd<'_>> = memory.iter().map(AsFd::as_fd).collect();
    fds.extend((0..packet.sockets).map(|_| to.as_fd()));
    // Twice, to be read as two types.
    socket::send_with(&to, packet.bytes, &fds, Wait::No)?;
    socket::send_with(&to, packet.bytes, &fds, Wait::No)
}

fn receive_some(receiver: &Receiver<()>) -> usize {
    let mut buffer = [0; 100];
    let bytes = usize::from(receiver.recv_bytes_into(&mut buffer).is_ok());
    bytes + receive_as::<Carrier>(receiver)
}

fn receive_as<T: DeserializeOwned>(receiver: &Receiver<()>) -> usize {
    usize::from(Receiver::<T>::new(receiver.clone().into_end()).try_recv().is_ok())
}
