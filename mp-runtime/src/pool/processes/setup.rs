//! What a worker is given to begin with.

use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::{codec::Handle, process::registry::Identity};

/// Kinds of message on a worker's socket; see `ipc/message.rs` for the others.
pub(super) mod kind {
    pub(crate) const ARGUMENTS: u8 = 32;
    pub(crate) const VALUE: u8 = 33;
}

/// What a worker is given to begin with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) mailbox: Handle<OwnedFd>,
    pub(super) bell: Handle<OwnedFd>,
    pub(super) event: Handle<OwnedFd>,
    pub(super) socket: Handle<OwnedFd>,
    /// To be run once; its arguments wait on the socket.
    pub(super) initializer: Option<Identity>,
    /// To make the state; the same.
    pub(super) state: Option<Identity>,
    /// To be run with the state at the end.
    pub(super) exit: Option<Identity>,
}
