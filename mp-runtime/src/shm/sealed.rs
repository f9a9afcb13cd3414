//! Memory that nobody can change any more.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
};

use super::Mapping;
use crate::sys::{
    getrlimit::check_file_size,
    memfd::{self, Fixed},
    recvmsg::Arrived,
};

/// A sealed memfd and its mapping.
#[derive(Debug)]
pub(crate) struct Sealed {
    mapping: Mapping,
    memfd: OwnedFd,
}

impl Sealed {
    /// Of a memfd that is known to be sealed, and so long.
    pub(super) fn new(memfd: OwnedFd, length: usize) -> io::Result<Self> {
        Ok(Self { mapping: Mapping::of_checked(&memfd, length)?, memfd })
    }

    /// Of a memfd from elsewhere, which must be `length` bytes long.
    pub(crate) fn receive(memfd: Arrived, length: usize) -> io::Result<Self> {
        match memfd::checked(memfd, Fixed::Content)? {
            (memfd, size) if size == length => Self::new(memfd, length),
            (_, size) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{length} bytes of memory are announced, and it has {size}"),
            )),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.mapping
    }
}

impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}

/// A memfd that is written from its beginning to its end, then sealed. It is never mapped to write: the kernel then copies
/// into fresh pages without zeroing them before, which is half the work.
#[derive(Debug)]
pub(crate) struct Writing {
    file: File,
    length: usize,
}

impl Writing {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { file: File::from(memfd::create()?), length: 0 })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length.checked_add(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        check_file_size(end as u64)?;
        self.file.write_all_at(bytes, self.length as u64)?;
        self.length = end;
        Ok(())
    }

    pub(crate) fn seal(self) -> io::Result<Sealed> {
        memfd::fix(&self.file, Fixed::Content)?;
        Sealed::new(self.file.into(), self.length)
    }
}
