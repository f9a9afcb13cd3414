//! `memfd_create(2)` and its seals: memory without a name, and what a receiver can trust of it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open},
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::{Mode, fstat},
        statfs::{TMPFS_MAGIC, fstatfs},
    },
};

use super::{fcntl::above_stdio, getrlimit::check_file_size, recvmsg::Arrived};

/// An empty file in memory, close-on-exec, that can be sealed.
pub(crate) fn create() -> io::Result<OwnedFd> {
    Ok(memfd_create(c"multiprocess", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?)
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

/// What nobody can do any more with a memfd, by its seals.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fixed {
    /// Write, shrink, grow it.
    Content,
    /// Shrink or grow it, and write it but through a mapping that was there before (Linux 5.1).
    ContentForOthers,
    /// Shrink or grow it.
    Size,
    /// Shrink it: what is mapped of it stays.
    LeastSize,
}

impl Fixed {
    fn seals(self) -> SealFlag {
        let least = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK;
        let size = least | SealFlag::F_SEAL_GROW;
        match self {
            Self::Content => size | SealFlag::F_SEAL_WRITE,
            Self::ContentForOthers => size | SealFlag::F_SEAL_FUTURE_WRITE,
            Self::Size => size,
            Self::LeastSize => least,
        }
    }
}

/// From here on it is fixed, and nothing can be added to that. EBUSY: it is to be [`Fixed::Content`], and somebody has it
/// mapped to write, or the kernel is still reading or writing it for somebody.
pub(crate) fn fix(memfd: impl AsFd, what: Fixed) -> io::Result<()> {
    fcntl(memfd, FcntlArg::F_ADD_SEALS(what.seals()))?;
    Ok(())
}

/// Whether it is fixed like that, or more. False for a file that is no memfd.
pub(crate) fn is_fixed(file: impl AsFd, what: Fixed) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS).is_ok_and(|seals| SealFlag::from_bits_retain(seals).contains(what.seals()))
}

/// A file from elsewhere, and its size, if it is a memfd that is fixed like that and of which every byte has memory already.
pub(crate) fn checked(file: Arrived, what: Fixed) -> io::Result<(OwnedFd, usize)> {
    let Some(file) = file.into_fd() else { return Err(io::ErrorKind::NotFound.into()) };
    match check(&file, what) {
        Ok(size) => Ok((file, size)),
        Err(error) => {
            drop(Arrived::from(file));
            Err(error)
        }
    }
}

fn check(file: &OwnedFd, what: Fixed) -> io::Result<usize> {
    let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    // First, because of a file that is no memfd not even a look at it is known to be harmless.
    if !is_fixed(file, what) {
        return refuse("the memory is not sealed as it must be");
    }
    // Of huge pages there are memfds too; but a mapping of these has lengths of its own.
    if fstatfs(file)?.filesystem_type() != TMPFS_MAGIC {
        return refuse("the memory is not made of ordinary pages");
    }
    let status = fstat(file)?;
    // A hole costs the sender nothing, and whoever touches it a page.
    if status.st_blocks.saturating_mul(512) < status.st_size {
        return refuse("the memory has holes");
    }
    usize::try_from(status.st_size).map_err(io::Error::other)
}
