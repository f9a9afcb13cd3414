//! A segment as a slice of atomics.

use std::{fs::File, io, slice, sync::OnceLock};

use crate::shm::{
    Atomic,
    pages::{Access, Pages},
};

/// The mappings of a segment, made when they are first asked for: one for each width of atomics. Rust has no meaning for
/// accesses of different widths to one place at the same time; at different addresses they are like those of two
/// processes, and the machine's.
#[derive(Debug, Default)]
pub(super) struct Atoms([OnceLock<Pages>; 4]);

impl Atoms {
    /// The first `size` bytes of `file`, without those at the end that are less than one `A`.
    pub(super) fn view<A: Atomic>(&self, file: &File, size: usize) -> io::Result<&[A]> {
        let width = size_of::<A>().trailing_zeros() as usize;
        let Some(place) = self.0.get(width) else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mapped = match place.get() {
            Some(mapped) => mapped,
            None => {
                let mapped = Pages::map(file, Access::Share, 0, size)?;
                // Another thread may have been faster; then this one is unmapped again.
                place.get_or_init(|| mapped)
            }
        };
        // SAFETY: mapped, readable and writable, aligned to a page, and this long, for as long as `self`, which is
        // borrowed; the trait promises that its bytes are always an `A`, and only atomic accesses of this width are made
        // at these addresses.
        Ok(unsafe { slice::from_raw_parts(mapped.start().as_ptr().cast(), size / size_of::<A>()) })
    }
}
