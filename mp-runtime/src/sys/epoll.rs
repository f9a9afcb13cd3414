//! `epoll(7)`, level-triggered: what is ready is said again until it is dealt with.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::epoll::{Epoll as Instance, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
};

use super::poll::Deadline;

/// A set of descriptors that the kernel watches, each under a number.
#[derive(Debug)]
pub(crate) struct Epoll(Instance);

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Instance::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// From here on it is watched for being readable, or its other side gone. EPERM: it is a file or directory, which
    /// is always ready and cannot be watched.
    pub(crate) fn add(&self, fd: impl AsFd, number: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, number))?)
    }

    pub(crate) fn delete(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(fd)?)
    }

    /// Waits until something is ready; returns the numbers of at most `most` ready ones. None: the deadline has come.
    pub(crate) fn wait(&self, most: usize, deadline: Deadline) -> io::Result<Vec<u64>> {
        let mut events = vec![EpollEvent::empty(); most.max(1)];
        loop {
            match self.0.wait(&mut events, timeout(deadline)) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) if !deadline.is_over() => {}
                Ok(ready) => return Ok(events.iter().take(ready).map(EpollEvent::data).collect()),
            }
        }
    }
}

/// Rounded up to whole milliseconds: a wait never ends early.
fn timeout(deadline: Deadline) -> EpollTimeout {
    if deadline.is_never() {
        return EpollTimeout::NONE;
    }
    let rest = deadline.rest_at_most(Duration::from_millis(i32::MAX as u64));
    EpollTimeout::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(EpollTimeout::MAX)
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}
