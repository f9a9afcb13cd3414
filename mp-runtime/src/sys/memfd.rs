//! `memfd_create(2)` and its seals: memory without a name that the receiver can trust not to change.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

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
