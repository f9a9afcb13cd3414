//! `poll(2)` that keeps its deadline whatever signals arrive.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll as poll_once},
};

/// When to give up; `None` waits for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    /// A duration beyond what the clock can hold is for ever.
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// The rest of it, rounded up to whole milliseconds: a wait never ends early.
    fn rest(self) -> PollTimeout {
        let Some(deadline) = self.0 else { return PollTimeout::NONE };
        let rest = deadline.saturating_duration_since(Instant::now());
        PollTimeout::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
    }

    fn is_over(self) -> bool {
        self.0.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Waits until `fd` can be read, or its other side is gone. Returns whether that came before the deadline.
pub(crate) fn readable(fd: impl AsFd, deadline: Deadline) -> io::Result<bool> {
    Ok(any_readable(&[fd.as_fd()], deadline)?.is_some())
}

/// Waits until one of `fds` can be read, or its other side is gone, and returns the first such one's index.
pub(crate) fn any_readable(fds: &[BorrowedFd<'_>], deadline: Deadline) -> io::Result<Option<usize>> {
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    loop {
        match poll_once(&mut polled, deadline.rest()) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(0) if deadline.is_over() => return Ok(None),
            Ok(0) => {}
            Ok(_) => return Ok(polled.iter().position(|fd| fd.revents().is_some_and(|events| !events.is_empty()))),
        }
    }
}
