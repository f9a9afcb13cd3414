//! `epoll(7)` by way of tokio's reactor.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
};

use super::socket::Socket;

/// What owns a descriptor, or a share of it, and names the same one as long as it lives.
pub(crate) trait Steady: AsRawFd {}

impl Steady for OwnedFd {}
impl Steady for Arc<Socket> {}

/// Has the runtime of the calling task watch `fd`, which must not be watched by it already.
///
/// # Panics
///
/// Tokio's, in a runtime that was built without `enable_io`.
pub(crate) fn watch<T: Steady>(fd: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    Handle::try_current().map_err(io::Error::other)?;
    // SAFETY: the `AsyncFd` owns `fd`, which keeps the descriptor open and the same; `Steady` is implemented here only.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
