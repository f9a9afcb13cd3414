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

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(When);

#[derive(Clone, Copy, Debug)]
enum When {
    Never,
    /// After one look, which needs no clock: a child's first look at one costs two page faults.
    Now,
    At(Instant),
}

impl Deadline {
    pub(crate) const NEVER: Self = Self(When::Never);
    pub(crate) const NOW: Self = Self(When::Now);

    /// A duration beyond what the clock can hold is for ever.
    pub(crate) fn after(timeout: Duration) -> Self {
        if timeout.is_zero() {
            return Self(When::Now);
        }
        Self(Instant::now().checked_add(timeout).map_or(When::Never, When::At))
    }

    pub(crate) fn is_never(self) -> bool {
        matches!(self.0, When::Never)
    }

    pub(crate) fn is_now(self) -> bool {
        matches!(self.0, When::Now)
    }

    /// The rest of it; `None` for ever.
    pub(crate) fn rest(self) -> Option<Duration> {
        match self.0 {
            When::Never => None,
            When::Now => Some(Duration::ZERO),
            When::At(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
        }
    }

    /// The rest of it, rounded up to whole milliseconds: a wait never ends early.
    fn rest_for_poll(self) -> PollTimeout {
        let Some(rest) = self.rest() else { return PollTimeout::NONE };
        PollTimeout::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX)
    }

    /// The rest of it, but not more than `most`.
    pub(crate) fn rest_at_most(self, most: Duration) -> Duration {
        self.rest().map_or(most, |rest| rest.min(most))
    }

    /// It, but not later than after `most`.
    pub(crate) fn at_most(self, most: Duration) -> Self {
        Self::after(self.rest_at_most(most))
    }

    pub(crate) fn is_over(self) -> bool {
        match self.0 {
            When::Never => false,
            When::Now => true,
            When::At(deadline) => Instant::now() >= deadline,
        }
    }
}

/// Waits until `fd` can be read, or its other side is gone. Returns whether that came before the deadline.
pub(crate) fn readable(fd: impl AsFd, deadline: Deadline) -> io::Result<bool> {
    one(fd, PollFlags::POLLIN, deadline)
}

/// Waits until `fd` can be written to, or its other side is gone. Returns whether that came before the deadline.
pub(crate) fn writable(fd: impl AsFd, deadline: Deadline) -> io::Result<bool> {
    one(fd, PollFlags::POLLOUT, deadline)
}

/// Waits until one can be written to, or the other can be read; says whether that.
pub(crate) fn writable_or_readable(to_write: impl AsFd, to_read: impl AsFd, deadline: Deadline) -> io::Result<bool> {
    let mut fds = [PollFd::new(to_write.as_fd(), PollFlags::POLLOUT), PollFd::new(to_read.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, deadline)?;
    Ok(fds[1].any() == Some(true))
}

/// Whether nothing more can come from the other side than what has come.
pub(crate) fn is_hung_up(fd: impl AsFd) -> io::Result<bool> {
    // nix does not name it.
    one(fd, PollFlags::from_bits_retain(libc::POLLRDHUP), Deadline::after(Duration::ZERO))
}

/// Waits until all writers of one of these pipes are gone, whatever they wrote. Returns whether that came before the
/// deadline.
pub(crate) fn any_hung_up(pipes: &[BorrowedFd<'_>], deadline: Deadline) -> io::Result<bool> {
    // POLLHUP comes unasked.
    let mut polled: Vec<_> = pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::empty())).collect();
    Ok(poll(&mut polled, deadline)? > 0)
}

/// Waits until one of `fds` can be read, or its other side is gone, and returns the first such one's index.
pub(crate) fn any_readable(fds: &[BorrowedFd<'_>], deadline: Deadline) -> io::Result<Option<usize>> {
    Ok(all_readable(fds, deadline)?.first().copied())
}

/// Waits until one of `fds` can be read, or its other side is gone, and returns the indices of all such ones.
pub(crate) fn all_readable(fds: &[BorrowedFd<'_>], deadline: Deadline) -> io::Result<Vec<usize>> {
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    poll(&mut polled, deadline)?;
    let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    Ok((0..).zip(&polled).filter(|(_, fd)| is_ready(fd)).map(|(index, _)| index).collect())
}

fn one(fd: impl AsFd, events: PollFlags, deadline: Deadline) -> io::Result<bool> {
    Ok(poll(&mut [PollFd::new(fd.as_fd(), events)], deadline)? > 0)
}

/// How many are ready; none: the deadline has come.
fn poll(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<i32> {
    loop {
        match poll_once(fds, deadline.rest_for_poll()) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(0) if !deadline.is_over() => {}
            Ok(ready) => return Ok(ready),
        }
    }
}
