//! A child's end as a future.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use ::tokio::{
    io::{Interest, unix::AsyncFd},
    task,
};

use super::{Process, child::Child, target::Output};
use crate::{
    error::{Error, JoinError, Result},
    sys::{
        async_fd, fcntl,
        poll::{self, Deadline},
    },
};

impl<T: Output> Process<T> {
    /// [`join`](Self::join) for async programs: the runtime of the calling task watches the pidfd, no thread waits.
    ///
    /// The result stays with the handle: a future that is dropped before it is ready has taken nothing, any number
    /// of tasks may wait at once, and [`join`](Self::join) gives the same answer.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join); [`JoinError::Wait`] outside of a tokio runtime.
    ///
    /// # Panics
    ///
    /// In a runtime that was built without `enable_io`.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn answer() -> u8 {
    ///     42
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> mp::Result<()> {
    /// let (one, other) = (mp::spawn(answer, ())?, mp::spawn(answer, ())?);
    /// let (one, other) = tokio::join!(one.join_async(), other.join_async());
    /// assert_eq!((one?, other?), (42, 42));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn join_async(&self) -> Result<T, JoinError> {
        match ended(self.child()).await {
            Ok(()) => self.join(),
            Err(error) => Err(JoinError::Wait(self.child().unknown(), error)),
        }
    }
}

/// Ready when the child has ended and can be collected.
async fn ended(child: &Arc<Child>) -> Result<()> {
    let watched = watch(child).map_err(|error| Error::os("hand a process to the runtime", error))?;
    loop {
        let mut guard = watched.readable().await.map_err(|error| Error::os("wait for a process", error))?;
        // The runtime may say so without reason.
        if poll::readable(child, Deadline::after(Duration::ZERO)).is_ok_and(|ended| ended) {
            break;
        }
        guard.clear_ready();
    }
    if child.wait(Deadline::after(Duration::ZERO))?.is_none() {
        // A debugger holds it. Nothing announces when it lets go, so this one does take a thread.
        let child = Arc::clone(child);
        let waited = task::spawn_blocking(move || child.wait(Deadline::NEVER)).await;
        waited.map_err(|error| Error::os("wait for a process", io::Error::other(error)))??;
    }
    Ok(())
}

/// Under a descriptor of its own: a runtime watches each one only once.
fn watch(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    async_fd::watch(fcntl::duplicate(child.as_fd())?, Interest::READABLE)
}
