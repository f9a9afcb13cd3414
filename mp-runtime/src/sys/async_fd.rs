//! `epoll(7)` by way of tokio's reactor.

use std::{io, os::fd::OwnedFd, sync::Arc};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
};

/// A descriptor that the runtime of the calling task watches.
pub(crate) type Watched = AsyncFd<Arc<OwnedFd>>;

/// Has the runtime watch `fd`, which must not be watched by it already.
///
/// # Panics
///
/// Tokio's, in a runtime that was built without `enable_io`.
pub(crate) fn watch(fd: Arc<OwnedFd>, interest: Interest) -> io::Result<Watched> {
    Handle::try_current().map_err(io::Error::other)?;
    // SAFETY: the `AsyncFd` owns a share of the descriptor, so that it stays open and the same as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
