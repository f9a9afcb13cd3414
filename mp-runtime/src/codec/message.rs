//! A message that came in. A socket's peer may be anyone: everything is checked before it is believed.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    frame::{BODY_IN_MEMFD, HEADER, MAGIC, MAX_MEMFDS, MEMFDS_SHIFT, word},
    scratch,
    spill::SpillReader,
};
use crate::{
    error::{Error, Result},
    shm::{Mapping, arena::Arena},
    sys::recvmsg::Arrived,
};

/// A message, checked as far as its frame goes.
#[derive(Debug)]
pub(crate) struct Message {
    kind: u8,
    bytes: Vec<u8>,
    /// How much of it is header and body.
    end: usize,
    /// Most messages have none.
    attached: Option<Box<Attached>>,
}

/// What came beside the bytes.
#[derive(Debug)]
struct Attached {
    /// The body, if it lies in a memfd: from there to the mapping's end.
    body: Option<(Mapping, usize)>,
    spill: SpillReader,
    fds: Mutex<Vec<Option<Arrived>>>,
    /// Where pieces of shared memory lie, with the index of the descriptor that stands for them. It is the message that has them
    /// until all are taken: the descriptor stays open as long as the message is there.
    arenas: Mutex<Vec<(u64, Arc<Arena>, OwnedFd)>>,
    claimed: AtomicBool,
    /// The message is still where it came from: what its pieces of shared memory are known by stays with it.
    is_kept: bool,
}

impl Message {
    /// Takes the frame apart.
    #[inline]
    pub(crate) fn new(bytes: Vec<u8>, fds: Vec<Arrived>) -> Result<Self> {
        let Some((header, behind)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(Error::protocol(format!("a message of {} bytes is shorter than its header", bytes.len())));
        };
        let [m, p, zero, version, kind, flags, count @ ..] = header.first_chunk::<8>().unwrap_or(&[0; 8]);
        if [*m, *p, *zero, *version] != MAGIC {
            return Err(foreign(*header));
        }
        let length = usize::try_from(word(header, 16)).unwrap_or(usize::MAX);
        if *flags & BODY_IN_MEMFD == 0 && length > behind.len() {
            return Err(Error::protocol(format!("a body of {length} bytes is announced and {} came", behind.len())));
        }
        let attached = if fds.is_empty() && *flags == 0 && *count == [0, 0] {
            None
        } else {
            let place = (word(header, 8), length);
            Some(Box::new(Attached::new(*flags, usize::from(u16::from_le_bytes(*count)), place, fds)?))
        };
        Ok(Self { kind: *kind, end: HEADER.saturating_add(length), bytes, attached })
    }

    /// A message that stays where it is, to be received again by another.
    pub(crate) fn kept(bytes: Vec<u8>, fds: Vec<Arrived>) -> Result<Self> {
        let mut message = Self::new(bytes, fds)?;
        message.keep();
        Ok(message)
    }

    /// Its sender keeps what it sent: from here on it counts as one that stays where it is.
    pub(crate) fn keep(&mut self) {
        if let Some(attached) = &mut self.attached {
            attached.is_kept = true;
        }
    }

    /// Whether it stays where it is.
    pub(super) fn is_kept(&self) -> bool {
        self.attached.as_ref().is_some_and(|attached| attached.is_kept)
    }

    /// A message of nothing but a body, which stands behind [room for a header](HEADER).
    #[inline]
    pub(crate) fn plain(kind: u8, bytes: Vec<u8>) -> Self {
        Self { kind, end: bytes.len(), bytes, attached: None }
    }

    #[inline]
    pub(crate) fn kind(&self) -> u8 {
        self.kind
    }

    /// Its body.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.body()
    }

    #[inline]
    pub(super) fn body(&self) -> &[u8] {
        match self.attached.as_ref().and_then(|attached| attached.body.as_ref()) {
            None => self.bytes.get(HEADER..self.end).unwrap_or_default(),
            Some((mapping, start)) => mapping.get(*start..).unwrap_or_default(),
        }
    }

    /// Whether the value may be decoded: always if it holds no descriptors, else for the first who asks.
    pub(crate) fn claim(&self) -> bool {
        self.attached.as_ref().is_none_or(|attached| {
            attached.fds.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
                || !attached.claimed.swap(true, Ordering::Relaxed)
        })
    }

    /// It is to be kept for long: with no more memory than it takes.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Its buffer, for another one.
    #[inline]
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// It is done with, and its buffer good for another.
    #[inline]
    pub(crate) fn recycle(self) {
        let Self { bytes, attached, .. } = self;
        scratch::put_back(bytes);
        // Spelled out, so that a message of nothing but bytes costs no call of drop glue.
        match attached {
            None => {}
            Some(attached) => drop(attached),
        }
    }

    /// The descriptor of that number, which is there once.
    pub(crate) fn take_fd(&self, index: u64) -> Result<OwnedFd> {
        let taken = self.attached.as_ref().and_then(|attached| {
            let mut fds = attached.fds.lock().unwrap_or_else(PoisonError::into_inner);
            fds.get_mut(usize::try_from(index).ok()?)?.take()?.into_fd()
        });
        taken.ok_or_else(|| Error::decode(format!("descriptor {index} is not in the message, or was taken before")))
    }

    /// The shared memory that the descriptor of that number stands for.
    pub(super) fn arena(&self, index: u64) -> Result<Arc<Arena>> {
        let attached = self.attached.as_ref().ok_or_else(|| Error::decode("the message has no descriptors"))?;
        let mut arenas = attached.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, arena, _)) = arenas.iter().find(|(known, ..)| *known == index) {
            return Ok(Arc::clone(arena));
        }
        let fd = self.take_fd(index)?;
        // It may be anything.
        let arena = match Arena::attach(fd.as_fd()) {
            Ok(arena) => arena,
            Err(error) => {
                drop(Arrived::from(fd));
                return Err(error);
            }
        };
        arenas.push((index, Arc::clone(&arena), fd));
        Ok(arena)
    }

    /// Where its large blocks lie.
    pub(super) fn spill(&self) -> Result<&SpillReader> {
        let attached = self.attached.as_ref().ok_or_else(|| Error::decode("the message has no memfd"))?;
        Ok(&attached.spill)
    }
}

impl Attached {
    /// Behind the header: `flags`, how many descriptors there are besides memfds, where the body is, and all that came.
    fn new(flags: u8, count: usize, (offset, length): (u64, usize), mut fds: Vec<Arrived>) -> Result<Self> {
        let memfds = usize::from(flags >> MEMFDS_SHIFT);
        let body_in_memfd = flags & BODY_IN_MEMFD != 0;
        let unknown = flags & ((1 << MEMFDS_SHIFT) - 1) & !BODY_IN_MEMFD != 0;
        if unknown || memfds > MAX_MEMFDS || (body_in_memfd && memfds == 0) {
            return Err(Error::protocol(format!("flags {flags:#x} make no sense")));
        }
        let announced = count + memfds;
        if fds.len() != announced {
            return Err(Error::protocol(format!("{announced} descriptors are announced and {} came", fds.len())));
        }
        let spill = SpillReader::new(fds.drain(..memfds))?;
        let body = if body_in_memfd { Some(spill.map_body(offset, length)?) } else { None };
        let fds = Mutex::new(fds.into_iter().map(Some).collect());
        Ok(Self { body, spill, fds, arenas: Mutex::default(), claimed: AtomicBool::new(false), is_kept: false })
    }
}

/// How many descriptors a message says that it has, by its first eight bytes; none, if it is none of ours.
pub(crate) fn announced_fds(head: [u8; 8]) -> usize {
    let [m, p, zero, version, _, flags, few, many] = head;
    if [m, p, zero, version] == MAGIC {
        usize::from(flags >> MEMFDS_SHIFT) + usize::from(u16::from_le_bytes([few, many]))
    } else {
        0
    }
}

#[cold]
fn foreign(header: [u8; HEADER]) -> Error {
    if header[..3] != MAGIC[..3] {
        return Error::protocol("the bytes are no message of this library");
    }
    let (theirs, ours) = (header[3], MAGIC[3]);
    Error::protocol(format!(
        "the other side speaks version {theirs} of the protocol, this one {ours}; build both with the same `multiprocess`"
    ))
}
