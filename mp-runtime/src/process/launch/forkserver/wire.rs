//! What a server, its children and their parent tell each other.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Serialize};

use crate::{
    codec::{Decoder, Encoder, Handle, Message},
    error::{Error, Result},
    process::{authkey::Secret, outcome::kind},
    sys::{clone::Child, socket::Wait},
};

/// To a process that is to be a server. The messages of its preloads follow.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::process) struct Setup {
    pub(in crate::process) depth: u32,
    pub(in crate::process) parent_name: String,
    pub(in crate::process) parent_pid: u32,
    pub(in crate::process) authkey: Secret,
    /// What both [see](super::running::KNOWN).
    pub(super) known: Handle<OwnedFd>,
    pub(super) preloads: usize,
}

/// From a server: it can fork. Where it is then, which preload functions may have changed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    /// As a [`Directory`](crate::sys::statx::Directory).
    pub(super) directory: ((u32, u32), u64, u64),
    /// Whether its environment is the one that it was executed with.
    pub(super) has_its_environment: bool,
}

/// The number of an order, and whether its child is to wait.
pub(super) type Order = (u64, bool);

/// To a server: a child is wanted, for this control socket.
pub(super) fn order(server: &OwnedFd, order: Order, control: &OwnedFd) -> Result<io::Result<()>> {
    send(server, kind::FORK, &order, control.as_fd())
}

/// An order, as it comes in.
pub(super) fn read_order(message: &Message) -> Result<(Order, OwnedFd)> {
    Ok((Decoder::new(message).take()?, message.take_fd(0)?))
}

/// From a server, on the control socket: the child is there.
pub(super) fn forked(control: &OwnedFd, pid: u32, pidfd: &OwnedFd) -> Result<()> {
    send(control, kind::FORKED, &pid, pidfd.as_fd())?.map_err(|error| Error::os("send a message", error))
}

/// The child of an order, as its parent hears of it.
pub(super) fn read_forked(message: &Message) -> Result<Child> {
    Ok(Child { pid: Decoder::new(message).take()?, pidfd: message.take_fd(0)? })
}

/// The same of one whose descriptor is lost: the process id alone.
pub(super) fn read_bare(body: Vec<u8>) -> Result<u32> {
    Decoder::new(&Message::plain(kind::FORKED, body)).take()
}

fn send(socket: &OwnedFd, kind: u8, value: &impl Serialize, fd: BorrowedFd<'_>) -> Result<io::Result<()>> {
    let mut encoder = Encoder::default();
    encoder.put(value)?;
    Ok(encoder.finish(kind)?.send_beside(socket, &[fd], Wait::No))
}
