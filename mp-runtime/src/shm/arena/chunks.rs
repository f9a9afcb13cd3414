//! The mapping of a file that grows: nothing that is mapped ever moves.
//!
//! The first piece is a mebibyte, each further one as large as all before it.

use std::{
    ffi::c_void,
    io,
    num::NonZeroUsize,
    os::fd::AsFd,
    ptr::NonNull,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::layout::{MAX_SLABS, slab_offset};

const FIRST: usize = 1 << 20;
const MAX_CHUNKS: usize = 14;
const _: () = assert!(slab_offset(MAX_SLABS) <= FIRST << (MAX_CHUNKS - 1));

/// The pieces that this process has mapped.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    chunks: [OnceLock<Chunk>; MAX_CHUNKS],
    kept: AtomicBool,
}

#[derive(Debug)]
struct Chunk(NonNull<c_void>, NonZeroUsize);

// SAFETY: an address; what lies there is only used through atomics, and unmapping works from any thread.
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

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
    let (_, start, length) = chunk_of(offset);
    start + length
}

impl Chunks {
    /// Where `offset` of the file is mapped; if it has not been, now.
    #[inline]
    pub(super) fn at(&self, file: impl AsFd, offset: usize) -> io::Result<NonNull<u8>> {
        let (number, start, _) = chunk_of(offset);
        let mapped = match self.chunks.get(number).map(OnceLock::get) {
            Some(Some(chunk)) => chunk.0,
            Some(None) => self.map(file, offset)?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        // SAFETY: the piece is as long as `chunk_of` says, which says that the offset is inside.
        Ok(unsafe { mapped.cast().add(offset - start) })
    }

    #[cold]
    fn map(&self, file: impl AsFd, offset: usize) -> io::Result<NonNull<c_void>> {
        let (number, start, length) = chunk_of(offset);
        let size = nix::sys::stat::fstat(&file)?.st_size;
        if usize::try_from(size).is_ok_and(|size| size < start + length) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the shared memory is shorter than it says"));
        }
        let (Some(chunk), Some(length)) = (self.chunks.get(number), NonZeroUsize::new(length)) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let start = libc_offset(start)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let mapped = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, file, start)
        }?;
        let new = Chunk(mapped, length);
        if let Err(second) = chunk.set(new) {
            // Another thread was faster.
            second.unmap();
        }
        chunk.get().map(|chunk| chunk.0).ok_or_else(|| io::ErrorKind::Other.into())
    }

    /// Never unmaps it: a thread of this process holds a lock in there, and will go on holding it.
    pub(super) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }
}

fn libc_offset(offset: usize) -> io::Result<i64> {
    i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

impl Chunk {
    fn unmap(self) {
        // SAFETY: mapped by `map`, and nothing refers to it: it was never handed out, or all who use it are gone.
        unsafe { munmap(self.0, self.1.get()) }.ok();
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if !*self.kept.get_mut() {
            self.chunks.iter_mut().filter_map(OnceLock::take).for_each(Chunk::unmap);
        }
    }
}
