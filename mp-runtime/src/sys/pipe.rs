//! `pipe(2)`: what tells its reader when the last of its writers is gone.

use std::{io, os::fd::OwnedFd};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    unistd::pipe2,
};

use super::{fcntl::above_stdio, recvmsg::Arrived};

/// The read end and the write end; both close-on-exec, and neither a standard stream.
pub(crate) fn create() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((above_stdio(reader)?, above_stdio(writer)?))
}

/// A descriptor from elsewhere, if it is a pipe's.
pub(crate) fn checked(fd: Arrived) -> io::Result<OwnedFd> {
    let Some(fd) = fd.into_fd() else { return Err(io::ErrorKind::NotFound.into()) };
    match fcntl(&fd, FcntlArg::F_GETPIPE_SZ) {
        Ok(_) => Ok(fd),
        Err(_) => {
            drop(Arrived::from(fd));
            Err(io::Error::new(io::ErrorKind::InvalidData, "a descriptor that must be a pipe is none"))
        }
    }
}
