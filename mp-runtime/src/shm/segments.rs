//! A file in memory that is cut into segments: what queues keep their items in.
//!
//! It begins with a table of *notes*, a word for each segment; what they say is their user's. The file never shrinks, so what is
//! mapped stays; but the memory under a segment goes back to the system when nobody needs it.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    slice,
    sync::atomic::AtomicU64,
};

use super::chunks;
use crate::sys::{
    fallocate,
    memfd::{self, Fixed},
    recvmsg::Arrived,
};

/// How many there are at most.
pub(crate) const MAX_SEGMENTS: u32 = 1 << 20;
/// How many words are in each.
pub(crate) const SEGMENT_WORDS: usize = 8 << 10;
/// How many bytes that is.
pub(crate) const SEGMENT: usize = SEGMENT_WORDS * size_of::<AtomicU64>();

/// Where the first one begins.
const START: usize = MAX_SEGMENTS as usize * size_of::<AtomicU64>();

type Chunks = chunks::Chunks<{ 2 * START }>;
const _: () = assert!(START + (MAX_SEGMENTS as usize) * SEGMENT <= Chunks::MOST);

/// The file, and this process's mapping of it.
#[derive(Debug)]
pub(crate) struct Segments {
    memfd: OwnedFd,
    chunks: Chunks,
}

impl Segments {
    /// A new file, without any memory.
    pub(crate) fn create() -> io::Result<Self> {
        let memfd = memfd::create()?;
        memfd::grow(&memfd, Chunks::file_size(0) as u64)?;
        memfd::fix(&memfd, Fixed::LeastSize)?;
        Ok(Self { memfd, chunks: Chunks::default() })
    }

    /// The one that came, if nobody can make it shorter.
    pub(crate) fn received(memfd: Arrived) -> io::Result<Self> {
        let Some(memfd) = memfd.into_fd() else { return Err(io::ErrorKind::NotFound.into()) };
        if !memfd::is_fixed(&memfd, Fixed::LeastSize) {
            drop(Arrived::from(memfd));
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what came is no queue's memory: it could shrink"));
        }
        Ok(Self { memfd, chunks: Chunks::default() })
    }

    /// Makes the file long enough for a segment.
    pub(crate) fn reach(&self, segment: u32) -> io::Result<()> {
        memfd::grow(&self.memfd, Chunks::file_size(offset(segment)?) as u64)
    }

    /// Gives its memory back to the system: from then on it is all zeros.
    pub(crate) fn forget(&self, segment: u32) -> io::Result<()> {
        fallocate::punch_hole(&self.memfd, offset(segment)?, SEGMENT)
    }

    /// The words of a segment.
    #[inline]
    pub(crate) fn words(&self, segment: u32) -> io::Result<&[AtomicU64]> {
        let start = self.chunks.at(&self.memfd, offset(segment)?)?;
        // SAFETY: segments do not cross the pieces of the mapping, as both are powers of two; it is as long as the file, which never
        // shrinks, stays as long as `self`, and is aligned to pages. Any bytes are an atomic.
        Ok(unsafe { slice::from_raw_parts(start.cast().as_ptr(), SEGMENT_WORDS) })
    }

    /// The note of a segment.
    #[inline]
    pub(crate) fn note(&self, segment: u32) -> io::Result<&AtomicU64> {
        offset(segment)?;
        let place = self.chunks.at(&self.memfd, segment as usize * size_of::<AtomicU64>())?;
        // SAFETY: in the table, which is in the first piece, aligned; as above.
        Ok(unsafe { place.cast().as_ref() })
    }
}

/// Where it begins. An error for one that cannot be: numbers come out of memory that others can write.
#[inline]
fn offset(segment: u32) -> io::Result<usize> {
    if segment < MAX_SEGMENTS {
        Ok(START + segment as usize * SEGMENT)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "there is no such piece of memory"))
    }
}

impl AsFd for Segments {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memfd.as_fd()
    }
}
