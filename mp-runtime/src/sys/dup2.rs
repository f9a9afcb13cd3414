//! `dup2(2)`: standard streams.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd},
};

use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};

use super::{clone3::Forked, errno::check};

/// A descriptor for [`/dev/null`](https://man7.org/linux/man-pages/man4/null.4.html).
fn null() -> io::Result<OwnedFd> {
    Ok(open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// From here on standard output and standard error lead nowhere. (Standard input of a child is /dev/null in any case.)
pub(crate) fn silence() -> io::Result<()> {
    let null = null()?;
    for number in 1..=2 {
        put(&null, number)?;
    }
    // A process without standard streams may have got one of their numbers for it.
    if null.as_raw_fd() <= 2 {
        let _stays = null.into_raw_fd();
    }
    Ok(())
}

/// Makes `fd` standard stream `number` (0, 1 or 2) of this process.
pub(crate) fn put_stream(_forked: &Forked, fd: &OwnedFd, number: i32) -> io::Result<()> {
    put(fd, number)
}

fn put(fd: &OwnedFd, number: i32) -> io::Result<()> {
    // SAFETY: takes integers. The numbers are those of standard streams, which nobody owns.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// This process's own standard stream of that number, if it is open.
pub(crate) fn stream<'a>(number: i32) -> Option<BorrowedFd<'a>> {
    // SAFETY: takes integers; a closed descriptor is an error, which is the question.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
    // SAFETY: it is open. Nobody owns the standard streams; whoever closes one while it is used here has it EBADF, or another file, as anyone
    // who writes to it would.
    is_open.then(|| unsafe { BorrowedFd::borrow_raw(number) })
}
