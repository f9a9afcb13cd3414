//! `pidfd_open(2)`, `pidfd_send_signal(2)`: a process that cannot be mistaken for another, and signals to it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use super::{errno::check, fcntl::above_stdio};

/// Linux 6.9; the libc crate does not have it yet.
const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;

/// The process of that number: for one's own children, whose number is no other's until they are waited for.
pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes integers.
    let returned = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(libc::c_int::try_from(returned).unwrap_or(-1))?;
    // SAFETY: the kernel has just made this descriptor for us.
    above_stdio(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends `signal` to the process. A process that has ended and was waited for is ESRCH.
pub(crate) fn send_signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    send(pidfd, signal, 0)
}

/// Sends `signal` to all processes of the group that this process leads, or has led. ESRCH: it leads none. EINVAL: Linux before 6.9.
pub(crate) fn send_signal_to_group(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    send(pidfd, signal, PIDFD_SIGNAL_PROCESS_GROUP)
}

/// The same by the group's number, which must not be another one's by now.
pub(crate) fn send_signal_to_group_by_number(number: u32, signal: i32) {
    // SAFETY: takes integers.
    unsafe { libc::killpg(number.cast_signed(), signal) };
}

fn send(pidfd: impl AsFd, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call, a null siginfo is allowed, flags the kernel does not know are EINVAL.
    let returned =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, ptr::null::<libc::siginfo_t>(), flags) };
    check(libc::c_int::try_from(returned).unwrap_or(0)).map(drop)
}
