//! A segment as a slice of atomics.

use std::{ffi::c_void, fs::File, io, num::NonZeroUsize, ptr::NonNull, slice, sync::OnceLock};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::shm::Atomic;

/// The mappings of a segment, made when they are first asked for: one for each width of atomics. Rust has no meaning for
/// accesses of different widths to one place at the same time; at different addresses they are like those of two
/// processes, and the machine's.
#[derive(Debug, Default)]
pub(super) struct Atoms([OnceLock<Mapped>; 4]);

impl Atoms {
    /// The first `size` bytes of `file`, without those at the end that are less than one `A`.
    pub(super) fn view<A: Atomic>(&self, file: &File, size: usize) -> io::Result<&[A]> {
        let width = size_of::<A>().trailing_zeros() as usize;
        let (Some(place), Some(length)) = (self.0.get(width), NonZeroUsize::new(size)) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mapped = match place.get() {
            Some(mapped) => mapped,
            None => {
                let mapped = Mapped::new(file, length)?;
                // Another thread may have been faster; then this one is unmapped again.
                place.get_or_init(|| mapped)
            }
        };
        // SAFETY: mapped, readable and writable, aligned to a page, and this long, for as long as `self`, which is
        // borrowed; the trait promises that its bytes are always an `A`, and only atomic accesses of this width are made
        // at these addresses.
        Ok(unsafe { slice::from_raw_parts(mapped.start.as_ptr().cast(), size / size_of::<A>()) })
    }
}

#[derive(Debug)]
struct Mapped {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

// SAFETY: a mapping belongs to no thread; what it holds is seen as atomics only.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(file: &File, length: NonZeroUsize) -> io::Result<Self> {
        let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { mmap(None, length, rights, MapFlags::MAP_SHARED, file, 0) }?;
        Ok(Self { start, length })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made above, and the borrow checker says that no slice of it is left.
        unsafe { munmap(self.start, self.length.get()) }.ok();
    }
}
