//! The mapping of a file that grows: nothing that is mapped ever moves.
//!
//! The first piece is as long as its user says, a power of two; each further one is as long as all before it.

use std::{
    io, mem,
    os::fd::AsFd,
    ptr::NonNull,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::pages::{Access, Pages};

const MAX_CHUNKS: usize = 14;

/// The pieces that this process has mapped, the first of `FIRST` bytes.
#[derive(Debug, Default)]
pub(super) struct Chunks<const FIRST: usize> {
    chunks: [OnceLock<Pages>; MAX_CHUNKS],
    kept: AtomicBool,
}

impl<const FIRST: usize> Chunks<FIRST> {
    /// How many bytes of a file can be mapped.
    pub(super) const MOST: usize = FIRST << (MAX_CHUNKS - 1);

    /// The piece that `offset` lies in: its number, where it begins, and how long it is.
    fn chunk_of(offset: usize) -> (usize, usize, usize) {
        match offset / FIRST {
            0 => (0, 0, FIRST),
            more => {
                let number = more.ilog2() as usize + 1;
                let length = FIRST << (number - 1);
                (number, length, length)
            }
        }
    }

    /// How long the file must be for `offset` to be mapped.
    pub(super) fn file_size(offset: usize) -> usize {
        let (_, start, length) = Self::chunk_of(offset);
        start + length
    }

    /// Where `offset` of the file is mapped; if it has not been, now.
    #[inline]
    pub(super) fn at(&self, file: impl AsFd, offset: usize) -> io::Result<NonNull<u8>> {
        let (number, start, _) = Self::chunk_of(offset);
        let mapped = match self.chunks.get(number).map(OnceLock::get) {
            Some(Some(chunk)) => chunk.start(),
            Some(None) => self.map(file, offset)?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        // SAFETY: the piece is as long as `chunk_of` says, which says that the offset is inside.
        Ok(unsafe { mapped.add(offset - start) })
    }

    #[cold]
    fn map(&self, file: impl AsFd, offset: usize) -> io::Result<NonNull<u8>> {
        let (number, start, length) = Self::chunk_of(offset);
        let size = nix::sys::stat::fstat(&file)?.st_size;
        if usize::try_from(size).is_ok_and(|size| size < start + length) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the shared memory is shorter than it says"));
        }
        let Some(chunk) = self.chunks.get(number) else { return Err(io::ErrorKind::InvalidInput.into()) };
        let new = Pages::map(file, Access::Share, start, length)?;
        // Another thread may have been faster; then this one is unmapped again.
        Ok(chunk.get_or_init(|| new).start())
    }

    /// Never unmaps it: a thread of this process holds a lock in there, and will go on holding it.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

impl<const FIRST: usize> Drop for Chunks<FIRST> {
    fn drop(&mut self) {
        if *self.kept.get_mut() {
            self.chunks.iter_mut().filter_map(OnceLock::take).for_each(mem::forget);
        }
    }
}
