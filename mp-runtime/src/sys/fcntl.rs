//! `fcntl(2)`: descriptors above the standard three, and the signal that a dead pipe sends.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl, open},
    sys::{
        resource::{Resource, getrlimit},
        stat::Mode,
    },
};

use super::errno::check;

/// A copy of `fd`, close-on-exec, that is none of stdin, stdout and stderr.
pub(crate) fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Whether this process has no room for `count` descriptors now, but may have by its limit (RLIMIT_NOFILE). Found out by
/// taking the room, with copies of `fd`.
pub(crate) fn may_have_later(fd: impl AsFd, count: usize) -> io::Result<bool> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let copies: io::Result<Vec<_>> = (0..count).map(|_| duplicate(&fd)).collect();
    Ok(copies.is_err() && count as u64 <= limit)
}

/// `fd` moved above stdin, stdout and stderr, where it is one of these because this process has closed that one; as it
/// is, if there is no room.
pub(crate) fn above_stdio_if_possible(fd: OwnedFd) -> OwnedFd {
    match fd.as_raw_fd() {
        0..=2 => duplicate(&fd).unwrap_or(fd),
        _ => fd,
    }
}

/// `fd` itself, or a copy of it where it is one of stdin, stdout and stderr.
pub(crate) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { duplicate(fd) }
}

/// A pipe's read end, opened anew: owner and signal of [`signal_on_hangup`] belong to the open file
/// description, which an inherited descriptor shares with everyone who inherited it too.
pub(crate) fn reopen(pipe: impl AsFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_fd().as_raw_fd());
    Ok(open(path.as_str(), OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// From here on the kernel sends `signal`, if that is one, to this process when something happens on `pipe`; on a pipe
/// that nobody writes to, that is the end of its last writer.
pub(crate) fn signal_on_hangup(pipe: impl AsFd, signal: Option<i32>) -> io::Result<()> {
    let Some(signal) = signal else {
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        return Ok(());
    };
    let fd = pipe.as_fd().as_raw_fd();
    let this = nix::unistd::getpid().as_raw();
    // SAFETY: F_SETOWN takes an int; the descriptor is open.
    check(unsafe { libc::fcntl(fd, libc::F_SETOWN, this) })?;
    // SAFETY: F_SETSIG takes an int; the descriptor is open.
    check(unsafe { libc::fcntl(fd, F_SETSIG, signal) })?;
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_ASYNC | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Puts `new` in the place of `old`, under its number.
pub(crate) fn replace(old: &OwnedFd, new: OwnedFd) -> io::Result<()> {
    // SAFETY: takes integers. Who has `old` goes on owning its number, which stands for an open file all the time.
    check(unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) }).map(drop)
}

/// `geteuid(2)`: who may open what this process makes.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() }
}

/// From the kernel's `fcntl.h`; the libc crate has it for some targets only.
const F_SETSIG: libc::c_int = 10;
