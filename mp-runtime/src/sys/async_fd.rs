//! `epoll(7)` by way of tokio's reactor.

use std::{io, sync::Arc};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
};

use super::fcntl::Flagged;

/// A descriptor that the runtime of the calling task watches.
pub(crate) type Watched = AsyncFd<Arc<Flagged>>;

/// Has the runtime watch `fd`, which must not be watched by it already.
///
/// # Panics
///
/// Tokio's, in a runtime that was built without `enable_io`.
pub(crate) fn watch(fd: Arc<Flagged>, interest: Interest) -> io::Result<Watched> {
    Handle::try_current().map_err(io::Error::other)?;
    // SAFETY: the `AsyncFd` owns a share of the descriptor, so that it stays open as long as it lives,
    // and whoever has it cannot put another one into its place.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
