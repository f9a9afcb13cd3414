//! Open file description locks, `fcntl_locking(2)`: a claim on a byte of a file that the kernel drops with the last
//! descriptor of the open file, wherever that is: in any process, or in a message on its way.

use std::{io, os::fd::AsFd};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
};

fn claim(byte: i64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

/// Claims `byte`, which need not be inside the file. Returns whether it was free.
pub(crate) fn try_claim(file: impl AsFd, byte: i64) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&claim(byte))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether another open file has claimed `byte`.
pub(crate) fn is_claimed(file: impl AsFd, byte: i64) -> io::Result<bool> {
    let mut found = claim(byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    Ok(found.l_type != libc::F_UNLCK as libc::c_short)
}
