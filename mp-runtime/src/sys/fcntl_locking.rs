//! `fcntl_locking(2)`: locks of an open file description. The kernel releases them when its last descriptor is closed,
//! however the processes that had one ended, and whatever namespace they were in.

use std::{io, os::fd::AsFd};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

/// Locks the byte at `offset` for the open file description of `file`, which must be open for writing. False if another
/// one has it. Does not wait; to lock what this one has already locked changes nothing.
pub(crate) fn try_lock(file: impl AsFd, offset: u64) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&request(libc::F_WRLCK, offset)?)) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives the byte at `offset` free.
pub(crate) fn unlock(file: impl AsFd, offset: u64) -> io::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&request(libc::F_UNLCK, offset)?))?;
    Ok(())
}

/// Whether another open file description than that of `file` has locked the byte at `offset`. Locks nothing.
pub(crate) fn is_locked_elsewhere(file: impl AsFd, offset: u64) -> io::Result<bool> {
    let mut request = request(libc::F_WRLCK, offset)?;
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut request))?;
    Ok(request.l_type != libc::F_UNLCK as libc::c_short)
}

fn request(kind: libc::c_int, offset: u64) -> io::Result<libc::flock> {
    let start = offset.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    // `l_pid` must be 0 for these locks.
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: 1,
        l_pid: 0,
    })
}
