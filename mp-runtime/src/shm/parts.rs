//! Memory in parts, each of which one process at a time may write, until all have come back.
//!
//! The memfd begins with a page of *marks*, a byte for each part; behind it are the bytes that are divided. Every part holds a
//! write end of one pipe on which nothing is ever written, and [`Apart`] the read end: the kernel says when the last part is
//! gone, however its holder ended, and a part in a message that nobody received counts. A mark says how:
//!
//! | mark | |
//! |---|---|
//! | 0 | the part is out, or its holder ended while it held it |
//! | 1 | its holder has let go of it |
//!
//! A part is unmapped first, then marked, and its write end closed last. In the process that divides, the parts share the mapping
//! of the whole, by an `Arc`, and each has a range of it to itself. Elsewhere a part has a mapping of its own range, as far as
//! pages allow, and a part that goes into a message stays behind without any. So each byte is behind at
//! most one `&mut`, as long as every process of the program keeps to this file: who forges a message can claim any range.

use std::{
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    slice,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

use super::pages::{Access, Pages};
use crate::sys::{
    fallocate,
    getauxval::page_size,
    memfd::{self, Fixed},
    pipe,
    poll::{self, Deadline},
    recvmsg::Arrived,
};

/// The most parts, on whatever machine: its page may be larger.
pub(crate) const MAX_PARTS: usize = 4096;

const OUT: u8 = 0;
const BACK: u8 = 1;

/// The page of marks.
#[derive(Debug)]
struct Marks(Pages);

impl Marks {
    fn map(memfd: impl AsFd) -> io::Result<Self> {
        Pages::map(memfd, Access::Write, 0, page_size()).map(Self)
    }

    fn all(&self) -> &[AtomicU8] {
        // SAFETY: mapped to read and write, as long as said, with memory under it; an `AtomicU8` is a byte that others may change,
        // and nobody has a plain reference to these.
        unsafe { slice::from_raw_parts(self.0.start().as_ptr().cast(), self.0.length()) }
    }

    fn set(&self, index: usize, mark: u8) {
        if let Some(place) = self.all().get(index) {
            place.store(mark, Ordering::Release);
        }
    }
}

/// All of it, in one hand.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Pages,
    marks: Arc<Marks>,
    memfd: Arc<OwnedFd>,
}

/// What is left where the parts came from.
#[derive(Debug)]
pub(crate) struct Apart {
    bytes: Arc<Pages>,
    marks: Arc<Marks>,
    memfd: Arc<OwnedFd>,
    parts: usize,
    /// The read end of the parts' pipe.
    out: OwnedFd,
}

/// One part. Fields are dropped in order; the pipe is last.
#[derive(Debug)]
pub(crate) struct Part {
    /// The mapping that it lies in, until it is dropped.
    bytes: Option<Arc<Pages>>,
    /// Where in the mapping it begins, and how long it is.
    start: usize,
    length: usize,
    index: usize,
    /// Whether it counts as let go of when it is dropped.
    comes_back: bool,
    marks: Arc<Marks>,
    memfd: Arc<OwnedFd>,
    out: Arc<OwnedFd>,
}

impl Whole {
    /// So many zeros.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let memfd = memfd::create()?;
        let size = length.checked_add(page_size()).ok_or(io::ErrorKind::FileTooLarge)?;
        fallocate::allocate(&memfd, 0, size)?;
        let bytes = Pages::map(&memfd, Access::Write, page_size(), length)?;
        let marks = Marks::map(&memfd)?.into();
        memfd::fix(&memfd, Fixed::Size)?;
        Ok(Self { bytes, marks, memfd: memfd.into() })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, readable, as long as said, with memory under it, as it was allocated; the seals keep that so. In this
        // state there are no parts, so that only `self` knows the memory, and it is borrowed.
        unsafe { slice::from_raw_parts(self.bytes.start().as_ptr(), self.bytes.length()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, mapped to write, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.bytes.start().as_ptr(), self.bytes.length()) }
    }

    /// Takes it apart: part `i` begins where part `i - 1` ended, and is `lengths[i]` bytes long. What is behind the last is
    /// nobody's until all is whole again. If it cannot be done, it is as before.
    pub(crate) fn divide(self, lengths: &[usize]) -> Result<(Vec<Part>, Apart), (io::Error, Self)> {
        let fits = lengths.iter().try_fold(0, |sum: usize, length| sum.checked_add(*length));
        if lengths.len() > MAX_PARTS || fits.is_none_or(|sum| sum > self.bytes.length()) {
            return Err((io::ErrorKind::InvalidInput.into(), self));
        }
        let (ours, theirs) = match pipe::create() {
            Ok(pipe) => pipe,
            Err(error) => return Err((error, self)),
        };
        let Self { bytes, marks, memfd } = self;
        let (bytes, theirs) = (Arc::new(bytes), Arc::new(theirs));
        let parts = lengths.iter().scan(0, |next, &length| {
            let start = *next;
            *next += length;
            Some((start, length))
        });
        let parts = parts.enumerate().map(|(index, (start, length))| {
            marks.set(index, OUT);
            Part {
                bytes: Some(Arc::clone(&bytes)),
                start,
                length,
                index,
                comes_back: true,
                marks: Arc::clone(&marks),
                memfd: Arc::clone(&memfd),
                out: Arc::clone(&theirs),
            }
        });
        let parts = parts.collect();
        Ok((parts, Apart { bytes, marks, memfd, parts: lengths.len(), out: ours }))
    }
}

impl Apart {
    /// Waits until nobody has a part any more. Returns whether that came before the deadline.
    pub(crate) fn wait(&self, deadline: Deadline) -> io::Result<bool> {
        poll::any_hung_up(&[self.out.as_fd()], deadline)
    }

    /// All of it again, and the numbers of the parts that nobody let go of. `Err`: there are parts yet.
    pub(crate) fn join(self) -> Result<(Whole, Vec<usize>), Self> {
        if !matches!(self.wait(Deadline::NOW), Ok(true)) {
            return Err(self);
        }
        let Self { bytes, marks, memfd, parts, out } = self;
        match Arc::try_unwrap(bytes) {
            Ok(bytes) => {
                let is_lost = |(_, mark): &(usize, &AtomicU8)| mark.load(Ordering::Acquire) != BACK;
                let lost = (0..).zip(marks.all()).take(parts).filter(is_lost).map(|(index, _)| index).collect();
                Ok((Whole { bytes, marks, memfd }, lost))
            }
            Err(bytes) => Err(Self { bytes, marks, memfd, parts, out }),
        }
    }
}

impl AsFd for Apart {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.out.as_fd()
    }
}

impl Part {
    /// Of descriptors from elsewhere: part `index`, the bytes of `range`.
    pub(crate) fn receive(memfd: Arrived, out: Arrived, index: usize, range: Range<usize>) -> io::Result<Self> {
        let refuse = |why: &'static str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        let (memfd, size) = memfd::checked(memfd, Fixed::Size)?;
        let out = pipe::checked(out)?;
        let page = page_size();
        if index >= MAX_PARTS.min(page) || size < page {
            return refuse("a window has a number that none can have");
        }
        if range.start > range.end || range.end > size - page {
            return refuse("a window lies outside its array");
        }
        // From the page on that it begins in, behind that of the marks.
        let start = range.start % page;
        let length = if range.is_empty() { 0 } else { start + range.len() };
        let bytes = Pages::map(&memfd, Access::Write, page + range.start - start, length)?;
        let marks = Marks::map(&memfd)?.into();
        Ok(Self {
            bytes: Some(bytes.into()),
            start: start.min(length),
            length: range.len(),
            index,
            comes_back: true,
            marks,
            memfd: memfd.into(),
            out: out.into(),
        })
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let Some(bytes) = &self.bytes else { return &mut [] };
        // SAFETY: `start` lies inside the mapping, or at its end: checked when the part was made.
        let start: NonNull<u8> = unsafe { bytes.start().add(self.start) };
        // SAFETY: mapped to read and write from there on for so many bytes, with memory under them; no other part has any of them,
        // and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), self.length) }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The memory and the pipe, to be sent.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.memfd.as_fd(), self.out.as_fd()]
    }

    /// It is in somebody else's hands now.
    pub(crate) fn depart(mut self) {
        self.comes_back = false;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.bytes = None;
        // Who panics may have written half of it.
        if self.comes_back && !thread::panicking() {
            self.marks.set(self.index, BACK);
        }
    }
}
