//! A read-only view of a sealed memfd.

use std::{io, num::NonZeroUsize, ops::Deref, os::fd::AsFd, slice};

use super::pages::{Access, Pages};
use crate::sys::memfd::{self, Fixed};

/// The bytes of a sealed memfd, without a copy. Nobody can change or cut them: the seals are checked first.
#[derive(Debug)]
pub(crate) struct Mapping(Pages);

impl Mapping {
    /// Maps the first `length` bytes.
    pub(crate) fn new(memfd: impl AsFd, length: NonZeroUsize) -> io::Result<Self> {
        if !memfd::is_fixed(&memfd, Fixed::Content) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the memory is not sealed"));
        }
        let size = nix::sys::stat::fstat(&memfd)?.st_size;
        if usize::try_from(size).is_ok_and(|size| size < length.get()) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the memory is shorter than announced"));
        }
        Self::of_checked(memfd, length.get())
    }

    /// The same of a memfd whose seals and size have been looked at.
    pub(super) fn of_checked(memfd: impl AsFd, length: usize) -> io::Result<Self> {
        Pages::map(memfd, Access::Read, 0, length).map(Self)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped, readable, and as long as said: the seals keep the file from shrinking below it
        // and from being written; the mapping goes only with `self`.
        unsafe { slice::from_raw_parts(self.0.start().as_ptr(), self.0.length()) }
    }
}
