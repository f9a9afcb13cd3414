//! A mapping of part of a file in memory: an address and a length that are unmapped together. Who may read and write there, and
//! when, is for the files beside this one to say.

use std::{ffi::c_void, io, num::NonZeroUsize, os::fd::AsFd, ptr::NonNull};

use nix::sys::mman::{self, MRemapFlags, MapFlags, MmapAdvise, ProtFlags, mmap, mremap, munmap};

use crate::sys::madvise;

/// Where nothing is mapped. Aligned for any element.
const NOWHERE: NonZeroUsize = match NonZeroUsize::new(1 << 16) {
    Some(address) => address,
    None => NonZeroUsize::MIN,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// By one at a time, who is in this process.
    Write,
    /// By all who have it, and who agree on how.
    Share,
}

/// It is no slice: what is in there may change, unless the memfd's seals or a protocol says otherwise.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<c_void>,
    length: usize,
}

// SAFETY: an address, and unmapping it works from any thread.
unsafe impl Send for Pages {}
// SAFETY: as above; a shared reference gives the address away and nothing else.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `length` bytes from `offset` on, which is a whole number of pages. No bytes need no mapping.
    pub(super) fn map(memfd: impl AsFd, access: Access, offset: usize, length: usize) -> io::Result<Self> {
        let Some(nonzero) = NonZeroUsize::new(length) else {
            return Ok(Self { start: NonNull::without_provenance(NOWHERE), length: 0 });
        };
        let protection = match access {
            Access::Read => ProtFlags::PROT_READ,
            Access::Write | Access::Share => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        };
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { mmap(None, nonzero, protection, MapFlags::MAP_SHARED, memfd, offset) }?;
        let pages = Self { start, length };
        if access == Access::Write {
            pages.keep_from_forks()?;
            pages.advise_huge();
        }
        Ok(pages)
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start.cast()
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Makes a mapping to write longer; it may move. What was touched before is not touched anew.
    pub(super) fn grow(&mut self, memfd: impl AsFd, length: usize) -> io::Result<()> {
        if self.length == 0 {
            *self = Self::map(memfd, Access::Write, 0, length)?;
            return Ok(());
        }
        // SAFETY: the mapping of `self`, to which nobody has a reference while `self` is borrowed mutably.
        let start = unsafe { mremap(self.start, self.length, length, MRemapFlags::MREMAP_MAYMOVE, None) }?;
        (self.start, self.length) = (start, length);
        self.advise_huge();
        Ok(())
    }

    /// A process that somebody forks has no part of it: it would write there, and while it lives the memory could not
    /// be sealed.
    pub(super) fn keep_from_forks(&self) -> io::Result<()> {
        // SAFETY: the mapping of `self`; MADV_DONTFORK changes nothing in this process.
        unsafe { mman::madvise(self.start, self.length, MmapAdvise::MADV_DONTFORK) }?;
        Ok(())
    }

    /// Only advice; where the system has none to give to memfds (`shmem_enabled`), nothing changes.
    pub(super) fn advise_huge(&self) {
        if self.length >= madvise::WORTH_IT {
            // SAFETY: the mapping of `self`; MADV_HUGEPAGE changes how it is backed, never what it holds.
            let _advice = unsafe { mman::madvise(self.start, self.length, MmapAdvise::MADV_HUGEPAGE) };
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: this is the mapping made above, and whoever made a slice of it has tied that to `self`. It can fail
            // where a sender's memory has pages of another size; then the mapping stays.
            unsafe { munmap(self.start, self.length) }.ok();
        }
    }
}
