//! `eventfd(2)`: a counter that can be polled.

use std::{io, os::fd::OwnedFd};

use nix::{
    sys::eventfd::{EfdFlags, EventFd},
    unistd::{read, write},
};

use super::fcntl::above_stdio;

/// A new one: close-on-exec, never blocking, and no standard stream.
pub(crate) fn create() -> io::Result<OwnedFd> {
    above_stdio(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?.into())
}

/// Makes it readable. It can only fail where it is as readable as can be, or was never one.
pub(crate) fn tell(fd: &OwnedFd) {
    write(fd, &1_u64.to_ne_bytes()).ok();
}

/// Makes it unreadable until somebody tells again.
pub(crate) fn forget(fd: &OwnedFd) {
    read(fd, &mut [0; 8]).ok();
}
