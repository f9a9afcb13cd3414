//! `pidfd_send_signal(2)`: signals to a process that cannot be mistaken for another.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

use super::errno::check;

/// Sends `signal` to the process. A process that has ended and was waited for is ESRCH.
pub(crate) fn send_signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call, a null siginfo is allowed, flags are 0.
    let returned = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, ptr::null::<libc::siginfo_t>(), 0 as libc::c_uint)
    };
    check(libc::c_int::try_from(returned).unwrap_or(0)).map(drop)
}
