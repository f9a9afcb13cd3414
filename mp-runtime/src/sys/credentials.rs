//! `credentials(7)`, `capabilities(7)`: who this process is to the kernel, and what it may not do.

use std::io;

use nix::unistd::{Gid, Pid, Uid, getpgrp, getresgid, getresuid, getsid};

use super::{errno::check, statx::Directory};

/// What a child has from its parent, and keeps unless one of the two changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    users: [Uid; 3],
    groups: [Gid; 3],
    supplementary: Vec<libc::gid_t>,
    process_group: Pid,
    session: Pid,
    /// Effective, permitted and inheritable, in two halves.
    capabilities: [Capabilities; 2],
    /// What `prctl(2)` says: whether it can gain rights no more, what a switch of users does to them, whether its calls are filtered.
    confinement: [libc::c_int; 3],
    /// What it sees as `/`.
    root: Directory,
}

/// As the kernel has it in `linux/capability.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Credentials {
    /// Those of this process.
    pub(crate) fn current() -> io::Result<Self> {
        let (users, groups) = (getresuid()?, getresgid()?);
        Ok(Self {
            users: [users.real, users.effective, users.saved],
            groups: [groups.real, groups.effective, groups.saved],
            supplementary: supplementary()?,
            process_group: getpgrp(),
            session: getsid(None)?,
            capabilities: capabilities()?,
            confinement: [libc::PR_GET_NO_NEW_PRIVS, libc::PR_GET_SECUREBITS, libc::PR_GET_SECCOMP].map(ask),
            root: Directory::root()?,
        })
    }
}

/// Of the calling thread, as all of this.
fn capabilities() -> io::Result<[Capabilities; 2]> {
    /// _LINUX_CAPABILITY_VERSION_3; 0: the calling thread.
    static HEADER: [libc::c_int; 2] = [0x2008_0522, 0];
    let mut header = HEADER;
    let mut found = [Capabilities::default(); 2];
    // SAFETY: a header of that version, behind which there are two structs to be written; both live for the length of the call.
    match unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), found.as_mut_ptr()) } {
        0 => Ok(found),
        _ => Err(io::Error::last_os_error()),
    }
}

/// -1 where the kernel does not know the question: that is an answer, too.
fn ask(question: libc::c_int) -> libc::c_int {
    // SAFETY: takes integers, which these questions do not look at.
    unsafe { libc::prctl(question, 0, 0, 0, 0) }
}

/// nix asks the kernel how many there can be at most, by opening a file in /proc.
fn supplementary() -> io::Result<Vec<libc::gid_t>> {
    loop {
        // SAFETY: of no groups the number is returned, and nothing is written.
        let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut groups = vec![0; count.unsigned_abs() as usize];
        // SAFETY: there is room for so many.
        match check(unsafe { libc::getgroups(count, groups.as_mut_ptr()) }) {
            Ok(found) => {
                groups.truncate(found.unsigned_abs() as usize);
                return Ok(groups);
            }
            // There are more by now.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(error),
        }
    }
}
