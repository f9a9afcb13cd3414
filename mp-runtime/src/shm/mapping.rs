//! A read-only view of a sealed memfd.

use std::{ffi::c_void, io, num::NonZeroUsize, ops::Deref, os::fd::AsFd, ptr::NonNull, slice};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::memfd::{self, Fixed};

/// The bytes of a sealed memfd, without a copy. Nobody can change or cut them: the seals are checked first.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

// SAFETY: the memory is immutable, and unmapping it works from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

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
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, memfd, 0) }?;
        Ok(Self { start, length })
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped, readable, and as long as said: the seals keep the file from shrinking below it
        // and from being written; the mapping goes only with `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.length.get()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made above, and the borrow checker says that no slice of it is left.
        // It can fail where the sender's memory has pages of another size; then the mapping stays.
        unsafe { munmap(self.start, self.length.get()) }.ok();
    }
}
