//! `waitid(2)` on a pidfd, with the resource usage that the C library's wrapper leaves out.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid as nix_waitid, waitpid},
    },
    unistd::Pid,
};

use super::errno::check;

/// How a process ended, and what it used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    /// The exit code, or the signal with whether it dumped core.
    pub(crate) how: How,
    pub(crate) usage: libc::rusage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Exited(i32),
    Signaled { signal: i32, core_dumped: bool },
}

/// Ends a child that is known by its number alone, and collects it; does nothing if there is no such child: somebody else has collected it then.
pub(crate) fn end_child(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed());
    if nix_waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT).is_err() {
        return;
    }
    // It may be another user's by now, who may not be killed.
    if kill(pid, Signal::SIGKILL).is_ok() {
        while waitpid(pid, None) == Err(Errno::EINTR) {}
    }
}

/// Collects the exit status of a child if it has ended, which also removes the zombie.
///
/// ECHILD: it is not a child of ours, or someone else has collected it.
pub(crate) fn try_reap(pidfd: impl AsFd) -> io::Result<Option<Exit>> {
    let fd = pidfd.as_fd().as_raw_fd();
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live, writable memory of the types that the call fills; the descriptor is open.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            fd,
            info.as_mut_ptr(),
            libc::WEXITED | libc::WNOHANG,
            usage.as_mut_ptr(),
        )
    };
    check(libc::c_int::try_from(returned).unwrap_or(0))?;
    // SAFETY: zeroed, then filled by the call; all-zero is a valid value of this C struct.
    let info = unsafe { info.assume_init() };
    // SAFETY: as above.
    let usage = unsafe { usage.assume_init() };
    // SAFETY: `si_pid` is in the part of the union that waitid fills, or zero if no child has ended.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let how = match info.si_code {
        libc::CLD_EXITED => How::Exited(status),
        code => How::Signaled { signal: status, core_dumped: code == libc::CLD_DUMPED },
    };
    Ok(Some(Exit { how, usage }))
}
