//! Large blocks: each lies in the memfds of its message, written once by the sender and read once by the receiver.
//!
//! What that costs is the kernel's work of finding fresh memory, page by page, which one processor does at a
//! fraction of the memory's speed; and who writes to a memfd holds its lock all the while. So a very large block
//! is cut into as many parts as there are processors, each in a memfd of its own, and the parts are
//! written and read at the same time.
//!
//! Part `i` of a block is in the message's memfd `i`. All parts are of the same length, a whole number of
//! [`ALIGNMENT`]s, but the last, which is what is left.

use std::{
    fs::File,
    io, mem,
    num::NonZeroUsize,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt},
    },
    thread,
};

use nix::libc;

use super::together::together;
use crate::{
    error::{Error, Result},
    shm::Mapping,
    sys::{
        getrlimit::check_file_size,
        madvise,
        memfd::{self, Fixed},
        recvmsg::Arrived,
    },
};

/// The most memfds of one message.
pub(super) const MAX_PARTS: usize = 4;
/// A part below this is not worth a thread.
const WORTH_A_THREAD: usize = 8 << 20;
/// No two threads fill the same huge page.
const ALIGNMENT: usize = 2 << 20;

/// Where a block lies: the offset of each part in its memfd.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    offsets: [u64; MAX_PARTS],
    parts: usize,
}

impl Place {
    /// Says where the next part lies.
    pub(super) fn add(&mut self, offset: u64) -> Result<()> {
        let Some(free) = self.offsets.get_mut(self.parts) else {
            return Err(Error::decode(format!("a block in more than {MAX_PARTS} parts is announced")));
        };
        *free = offset;
        self.parts += 1;
        Ok(())
    }

    pub(super) fn offsets(&self) -> &[u64] {
        self.offsets.get(..self.parts).unwrap_or_default()
    }

    fn part_length(&self, length: usize) -> usize {
        match self.parts {
            0 | 1 => length.max(1),
            parts => length.div_ceil(parts).max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX),
        }
    }
}

/// The memfds of a message that is being written, and how much of each is used.
#[derive(Debug, Default)]
pub(super) struct SpillWriter {
    memfds: Vec<(File, u64)>,
}

impl SpillWriter {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<Place> {
        let parts = match bytes.len() / WORTH_A_THREAD {
            0 | 1 => 1,
            most => most.min(MAX_PARTS).min(thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        };
        self.write_in(parts, bytes)
    }

    /// Behind everything else in the last memfd; returns the offset.
    pub(super) fn write_at_the_end(&mut self, bytes: &[u8]) -> Result<u64> {
        if self.memfds.is_empty() {
            self.add_memfd()?;
        }
        let Some((file, used)) = self.memfds.last_mut() else { return Err(Error::encode("there is no memfd")) };
        let offset = *used;
        *used += bytes.len() as u64;
        check_limit(*used)?;
        file.write_all_at(bytes, offset).map_err(write_failed)?;
        Ok(offset)
    }

    pub(super) fn memfds(&self) -> usize {
        self.memfds.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.memfds.is_empty()
    }

    /// How much has been written.
    pub(super) fn length(&self) -> usize {
        self.memfds.iter().map(|(_, used)| *used as usize).sum()
    }

    fn add_memfd(&mut self) -> Result<()> {
        let memfd = memfd::create().map_err(|error| Error::os("create a memfd for a large value", error))?;
        self.memfds.push((File::from(memfd), 0));
        Ok(())
    }

    fn write_in(&mut self, parts: usize, bytes: &[u8]) -> Result<Place> {
        while self.memfds.len() < parts {
            self.add_memfd()?;
        }
        let mut place = Place { parts, ..Place::default() };
        let jobs: Vec<_> = bytes.chunks(place.part_length(bytes.len())).zip(&mut self.memfds).collect();
        for (offset, (_, (_, used))) in place.offsets.iter_mut().zip(&jobs) {
            *offset = *used;
        }
        for (part, (_, used)) in &jobs {
            check_limit(*used + part.len() as u64)?;
        }
        together(jobs, |(part, (file, used))| {
            file.write_all_at(part, *used)?;
            *used += part.len() as u64;
            Ok(())
        })
        .map_err(write_failed)?;
        Ok(place)
    }

    /// From here on nobody can change them.
    pub(super) fn seal(self) -> Result<Vec<OwnedFd>> {
        let memfds = self.memfds.into_iter().map(|(file, _)| {
            memfd::fix(&file, Fixed::Content).map_err(|error| Error::os("seal a memfd", error))?;
            Ok(OwnedFd::from(file))
        });
        memfds.collect()
    }
}

fn write_failed(error: io::Error) -> Error {
    Error::os("write a large value into a memfd", error)
}

/// A write beyond the limit of file sizes, which holds for memfds too, ends in SIGXFSZ, and that kills.
fn check_limit(end: u64) -> Result<()> {
    check_file_size(end).map_err(|error| match error.raw_os_error() {
        Some(libc::EFBIG) => Error::encode(format!(
            "{end} bytes do not go into a memfd: that is beyond the limit of file sizes (`ulimit -f`, RLIMIT_FSIZE)"
        )),
        _ => Error::os("ask for the limit of file sizes", error),
    })
}

/// How far each memfd of a message has been read.
#[derive(Debug, Default)]
pub(super) struct Ends([u64; MAX_PARTS]);

/// The memfds of a message that came in.
#[derive(Debug)]
pub(super) struct SpillReader {
    memfds: Vec<(File, u64)>,
}

impl SpillReader {
    pub(super) fn new(memfds: impl IntoIterator<Item = Arrived>) -> Result<Self> {
        let memfds = memfds.into_iter().map(|memfd| {
            let Some(memfd) = memfd.into_fd() else { return Err(Error::protocol("the memory did not come")) };
            if !memfd::is_fixed(&memfd, Fixed::Content) {
                // It may not even be memory.
                drop(Arrived::from(memfd));
                return Err(Error::protocol("the memory that came with a message is not sealed"));
            }
            let file = File::from(memfd);
            let metadata = file.metadata().map_err(|error| Error::os("look at a message's memfd", error))?;
            // A hole costs the sender nothing, and the receiver its full length.
            if metadata.blocks().saturating_mul(512) < metadata.len() {
                return Err(Error::protocol("the memory that came with a message has holes"));
            }
            Ok((file, metadata.len()))
        });
        Ok(Self { memfds: memfds.collect::<Result<_>>()? })
    }

    /// Whether a block of `length` bytes lies there, behind the `ends` of the blocks before it: a few bytes of a
    /// message must not ask for the same large block over and over.
    pub(super) fn check(&self, place: Place, length: usize, ends: &mut Ends) -> Result<()> {
        let part_length = place.part_length(length);
        let mut left = length;
        for ((index, offset), before) in place.offsets().iter().enumerate().zip(&mut ends.0) {
            let part = left.min(part_length);
            let size = self.memfds.get(index).map_or(0, |(_, size)| *size);
            match offset.checked_add(part as u64) {
                Some(end) if end <= size && offset >= before => *before = end,
                _ => {
                    return Err(Error::decode(format!(
                        "a block of {part} bytes at {offset} lies outside its memfd, between {before} and {size}"
                    )));
                }
            }
            left -= part;
        }
        Ok(())
    }

    /// Reads a block that has been [checked](Self::check), without a copy in between.
    pub(super) fn read(&self, place: Place, into: &mut [u8]) -> Result<()> {
        madvise::huge_pages(into);
        let parts = into.chunks_mut(place.part_length(into.len()));
        let jobs: Vec<_> = parts.zip(&self.memfds).zip(place.offsets()).collect();
        together(jobs, |((part, (file, _)), offset)| file.read_exact_at(part, *offset))
            .map_err(|error| Error::os("read a large value from its memfd", error))
    }

    /// The last memfd up to the end of the body, and where in there it begins.
    pub(super) fn map_body(&self, offset: u64, length: usize) -> Result<(Mapping, usize)> {
        let Some((file, size)) = self.memfds.last() else { return Err(Error::decode("the message has no memfd")) };
        let end = match offset.checked_add(length as u64) {
            Some(end) if end <= *size => end as usize,
            _ => {
                return Err(Error::decode(format!(
                    "a body of {length} bytes at {offset} lies outside its memfd of {size}"
                )));
            }
        };
        let Some(end) = NonZeroUsize::new(end) else { return Err(Error::decode("an empty body lies in a memfd")) };
        let mapping = Mapping::new(file.as_fd(), end).map_err(|error| Error::os("map a message", error))?;
        Ok((mapping, offset as usize))
    }
}

impl Drop for SpillReader {
    /// To give the memory back is as much work as to get it.
    fn drop(&mut self) {
        if self.memfds.len() < 2 {
            return;
        }
        let memfds = mem::take(&mut self.memfds);
        together(memfds, |memfd| {
            drop(memfd);
            Ok(())
        })
        .ok();
    }
}
