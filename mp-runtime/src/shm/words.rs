//! A file in memory that two processes use as words.

use std::{
    io,
    ops::Deref,
    os::fd::{AsFd, OwnedFd},
    slice,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::pages::{Access, Pages};
use crate::sys::{
    atomic::AtomicU32,
    fallocate,
    memfd::{self, Fixed},
    recvmsg::Arrived,
};

const WORD: usize = size_of::<u64>();

/// The words, all zero at first, with memory under all of them.
#[derive(Debug)]
pub(crate) struct Words(Pages);

impl Words {
    /// So many new ones, and the file that they are in.
    pub(crate) fn create(count: usize) -> io::Result<(Self, OwnedFd)> {
        let memfd = memfd::create()?;
        fallocate::allocate(&memfd, 0, count * WORD)?;
        memfd::fix(&memfd, Fixed::Size)?;
        Self::map(&memfd, count).map(|words| (words, memfd))
    }

    /// Those in a file that came, if it is just as long as that and will stay so.
    pub(crate) fn received(memfd: OwnedFd, count: usize) -> io::Result<Self> {
        let (memfd, length) = memfd::checked(Arrived::from(memfd), Fixed::Size)?;
        if length != count * WORD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory is not as long as it must be"));
        }
        Self::map(&memfd, count)
    }

    /// A process that is forked has no part of it.
    pub(crate) fn keep_from_forks(&self) -> io::Result<()> {
        self.0.keep_from_forks()
    }

    fn map(memfd: &OwnedFd, count: usize) -> io::Result<Self> {
        Pages::map(memfd.as_fd(), Access::Share, 0, count * WORD).map(Self)
    }

    /// The first half of a word, to sleep on. Loom's are no words of a mapping, and its models have none.
    #[cfg(loom)]
    pub(crate) fn half(&self, _index: usize) -> Option<&AtomicU32> {
        None
    }

    /// The first half of a word, to sleep on.
    #[cfg(not(loom))]
    pub(crate) fn half(&self, index: usize) -> Option<&AtomicU32> {
        let word = self.get(index)?;
        // SAFETY: the word is mapped as long as `self`, and aligned to more than its half; all who see it use it as halves only.
        Some(unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) })
    }
}

impl Deref for Words {
    type Target = [AtomicU64];

    #[inline]
    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: mapped to read and write as long as `self`, aligned to a page, with memory under it that the seals keep there. Any
        // bytes are an atomic, and nobody has a plain reference to them.
        unsafe { slice::from_raw_parts(self.0.start().cast().as_ptr(), self.0.length() / WORD) }
    }
}

/// Writes bytes, as words. Returns whether there was room for them.
#[inline]
pub(crate) fn store(words: &[AtomicU64], bytes: &[u8]) -> Option<()> {
    let (whole, rest) = bytes.as_chunks::<WORD>();
    let mut words = words.get(..bytes.len().div_ceil(WORD))?.iter();
    for (chunk, word) in whole.iter().zip(&mut words) {
        word.store(u64::from_ne_bytes(*chunk), Relaxed);
    }
    if let Some(word) = words.next() {
        let mut last = [0; WORD];
        last[..rest.len()].copy_from_slice(rest);
        word.store(u64::from_ne_bytes(last), Relaxed);
    }
    Some(())
}

/// Reads `length` bytes, and puts them behind those in `into`. Returns whether there were so many.
#[inline]
pub(crate) fn load(words: &[AtomicU64], length: usize, into: &mut Vec<u8>) -> Option<()> {
    /// So many at once, and as many as that even if fewer are wanted.
    const MANY: usize = 8;
    let count = length.div_ceil(WORD);
    let wanted = words.get(..count)?;
    let words = words.get(..count.next_multiple_of(MANY)).unwrap_or(wanted);
    let end = into.len() + length;
    into.reserve(size_of_val(words));
    let (many, rest) = words.as_chunks::<MANY>();
    for words in many {
        into.extend_from_slice(words.each_ref().map(|word| word.load(Relaxed).to_ne_bytes()).as_flattened());
    }
    for word in rest {
        into.extend_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    into.truncate(end);
    Some(())
}
