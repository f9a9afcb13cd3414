//! Memory that is being written before anybody else sees it.

use std::{io, os::fd::OwnedFd, slice};

use nix::unistd::ftruncate;

use super::{
    Sealed,
    pages::{Access, Pages},
};
use crate::sys::{
    fallocate,
    memfd::{self, Fixed},
};

/// A memfd that nobody else has, mapped to write. Its descriptor is not given away before the mapping is gone.
#[derive(Debug)]
pub(crate) struct Building {
    memfd: OwnedFd,
    pages: Pages,
}

impl Building {
    /// So many zeros.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let memfd = memfd::create()?;
        fallocate::allocate(&memfd, 0, length)?;
        let pages = Pages::map(&memfd, Access::Write, 0, length)?;
        Ok(Self { memfd, pages })
    }

    pub(crate) fn length(&self) -> usize {
        self.pages.length()
    }

    /// Makes it longer, by zeros. If there is no memory for that, it is as before.
    pub(crate) fn grow(&mut self, length: usize) -> io::Result<()> {
        let has = self.pages.length();
        let grown = fallocate::allocate(&self.memfd, has, length).and_then(|()| self.pages.grow(&self.memfd, length));
        if grown.is_err() {
            // What there was of it.
            set_length(&self.memfd, has)?;
        }
        grown
    }

    /// Its first `length` bytes, from now on for everybody and for ever.
    pub(crate) fn seal(self, length: usize) -> io::Result<Sealed> {
        let Self { memfd, pages } = self;
        let longer = pages.length() > length;
        // The kernel seals only what nobody has mapped to write.
        drop(pages);
        if longer {
            set_length(&memfd, length)?;
        }
        memfd::fix(&memfd, Fixed::Content)?;
        Sealed::new(memfd, length)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, readable, as long as said, with memory under it, as it was allocated; nobody else has the memfd,
        // and in this process the mapping is written through `&mut self` only.
        unsafe { slice::from_raw_parts(self.pages.start().as_ptr(), self.pages.length()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, mapped to write, and the only reference to it, as `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.pages.start().as_ptr(), self.pages.length()) }
    }
}

fn set_length(memfd: &OwnedFd, length: usize) -> io::Result<()> {
    Ok(ftruncate(memfd, i64::try_from(length).map_err(io::Error::other)?)?)
}
