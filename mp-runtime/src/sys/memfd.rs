//! `memfd_create(2)` and its seals: memory without a name that the receiver can trust not to change.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open},
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::{Mode, fstat},
    },
};

use super::{fcntl::above_stdio, getrlimit::check_file_size};

const SEALS: SealFlag =
    SealFlag::F_SEAL_SEAL.union(SealFlag::F_SEAL_SHRINK).union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_WRITE);

/// An empty file in memory, close-on-exec, that can be sealed.
pub(crate) fn create() -> io::Result<OwnedFd> {
    Ok(memfd_create(c"multiprocess", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?)
}

/// From here on nobody can write, grow or shrink it.
pub(crate) fn seal(memfd: impl AsFd) -> io::Result<()> {
    fcntl(memfd, FcntlArg::F_ADD_SEALS(SEALS))?;
    Ok(())
}

/// Whether nobody can write, grow or shrink it any more. False for a file that is no memfd.
pub(crate) fn is_sealed(file: impl AsFd) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS).is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(SEALS))
}

/// From here on nobody can make it smaller: what is mapped of it stays.
pub(crate) fn seal_size_from_below(memfd: impl AsFd) -> io::Result<()> {
    fcntl(memfd, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL))?;
    Ok(())
}

/// Whether nobody can make it smaller. False for a file that is no memfd.
pub(crate) fn cannot_shrink(file: impl AsFd) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK))
}

/// Makes it at least so many bytes long. What is added takes no memory until it is written to.
pub(crate) fn grow(memfd: impl AsFd, size: u64) -> io::Result<()> {
    if u64::try_from(fstat(&memfd)?.st_size).is_ok_and(|now| now >= size) {
        return Ok(());
    }
    check_file_size(size)?;
    let size = i64::try_from(size).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    Ok(nix::unistd::ftruncate(memfd, size)?)
}

/// Another open file of the same memory.
pub(crate) fn reopen(memfd: impl AsFd) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", memfd.as_fd().as_raw_fd());
    above_stdio(open(path.as_str(), OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?)
}
