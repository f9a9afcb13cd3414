//! How a message looks on a socket: a header, the body, and descriptors beside it.
//!
//! | bytes | content |
//! |---|---|
//! | 0..4 | `mp` and the version of all this, 1 |
//! | 4 | the kind of message |
//! | 5 | 1: the first descriptor is a sealed memfd; 2: the body lies in it; the high four bits: how many more memfds follow |
//! | 6..8 | how many descriptors there are behind these |
//! | 8..16, 16..24 | where in the memfd the body lies and its length; zero where it follows the header |
//!
//! A socket's peer may be anyone: everything is checked before it is believed.

use std::{
    io::IoSlice,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    blocks::MIN_SPILL,
    spill::{Ends, MAX_PARTS, Place, SpillReader},
};
use crate::{
    error::{Error, Result},
    shm::Mapping,
    sys::socket,
};

const MAGIC: [u8; 4] = [b'm', b'p', 0, 1];
const HEADER: usize = 24;
const HAS_MEMFD: u8 = 1;
const BODY_IN_MEMFD: u8 = 2;
/// Above the flags stands how many memfds there are besides the first.
const MORE_MEMFDS: u8 = 4;

/// No message takes more bytes than this on a socket, whatever it carries.
pub(crate) const MAX_FRAME: usize = HEADER + MIN_SPILL;

/// A value on its way out.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(super) body: Body,
    pub(super) memfds: Vec<OwnedFd>,
    pub(super) fds: Vec<OwnedFd>,
}

#[derive(Debug)]
pub(super) enum Body {
    Inline(Vec<u8>),
    Spilled { offset: u64, length: u64 },
}

impl Encoded {
    /// A message without content.
    pub(crate) fn empty() -> Self {
        Self { body: Body::Inline(Vec::new()), memfds: Vec::new(), fds: Vec::new() }
    }

    /// Sends it as one message of this kind; the descriptors are copies, and are closed when it is dropped.
    pub(crate) fn send(&self, socket: impl AsFd, kind: u8) -> Result<()> {
        let most = socket::MAX_FDS - self.memfds.len();
        if self.fds.len() > most {
            let count = self.fds.len();
            return Err(Error::encode(format!(
                "the value holds {count} descriptors; one message carries at most {most}"
            )));
        }
        let (header, body) = self.bytes(kind);
        let fds: Vec<BorrowedFd<'_>> = self.memfds.iter().chain(&self.fds).map(AsFd::as_fd).collect();
        socket::send(socket, &[IoSlice::new(&header), IoSlice::new(body)], &fds)
            .map_err(|error| Error::os("send a message", error))
    }

    /// The same as one run of bytes, for a message that is sent without this code: from a signal handler.
    pub(crate) fn to_bytes(&self, kind: u8) -> Vec<u8> {
        let (header, body) = self.bytes(kind);
        [&header[..], body].concat()
    }

    fn bytes(&self, kind: u8) -> ([u8; HEADER], &[u8]) {
        let (flag, offset, length, body) = match &self.body {
            Body::Inline(body) => (0, 0, 0, body.as_slice()),
            Body::Spilled { offset, length } => (BODY_IN_MEMFD, *offset, *length, &[][..]),
        };
        let flags = match u8::try_from(self.memfds.len()).unwrap_or(u8::MAX) {
            0 => flag,
            memfds => flag | HAS_MEMFD | (memfds - 1) << MORE_MEMFDS,
        };
        let count = u16::try_from(self.fds.len()).unwrap_or(u16::MAX);
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&MAGIC);
        header[4] = kind;
        header[5] = flags;
        header[6..8].copy_from_slice(&count.to_le_bytes());
        header[8..16].copy_from_slice(&offset.to_le_bytes());
        header[16..24].copy_from_slice(&length.to_le_bytes());
        (header, body)
    }
}

/// A message that came in, checked as far as its frame goes.
#[derive(Debug)]
pub(crate) struct Message {
    kind: u8,
    bytes: Vec<u8>,
    body: Option<(Mapping, usize)>,
    spill: SpillReader,
    fds: Mutex<Vec<Option<OwnedFd>>>,
    claimed: AtomicBool,
}

impl Message {
    /// Takes the frame apart.
    pub(crate) fn new(bytes: Vec<u8>, mut fds: Vec<OwnedFd>) -> Result<Self> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(Error::protocol(format!("a message of {} bytes is shorter than its header", bytes.len())));
        };
        let [m, p, zero, version, kind, flags, ..] = *header;
        if [m, p, zero] != MAGIC[..3] {
            return Err(Error::protocol("the bytes are no message of this library"));
        }
        if version != MAGIC[3] {
            return Err(Error::protocol(format!(
                "the other side speaks version {version} of the protocol, this one {}; build both with the same `multiprocess`",
                MAGIC[3]
            )));
        }
        let count = usize::from(u16::from_le_bytes([header[6], header[7]]));
        let has_memfd = flags & HAS_MEMFD != 0;
        let memfds = usize::from(has_memfd) + usize::from(flags >> MORE_MEMFDS);
        let unknown = flags & ((1 << MORE_MEMFDS) - 1) & !(HAS_MEMFD | BODY_IN_MEMFD) != 0;
        if unknown || memfds > MAX_PARTS || (!has_memfd && flags != 0) {
            return Err(Error::protocol(format!("flags {flags:#x} make no sense")));
        }
        if fds.len() != count + memfds {
            return Err(Error::protocol(format!("{count} descriptors are announced and {} came", fds.len())));
        }
        let spill = SpillReader::new(fds.drain(..memfds))?;
        let mut message = Self {
            kind,
            bytes: Vec::new(),
            body: None,
            spill,
            fds: Mutex::new(fds.into_iter().map(Some).collect()),
            claimed: AtomicBool::new(false),
        };
        if flags & BODY_IN_MEMFD != 0 {
            let word = |at: usize| {
                bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(u64::MAX, u64::from_le_bytes)
            };
            message.map_body(word(8), word(16))?;
        }
        message.bytes = bytes;
        Ok(message)
    }

    pub(crate) fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn body(&self) -> &[u8] {
        match &self.body {
            Some((mapping, start)) => mapping.get(*start..).unwrap_or_default(),
            None => self.bytes.get(HEADER..).unwrap_or_default(),
        }
    }

    /// Whether the value may be decoded: always if it holds no descriptors, else for the first who asks.
    pub(crate) fn claim(&self) -> bool {
        self.fds.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
            || !self.claimed.swap(true, Ordering::Relaxed)
    }

    pub(super) fn take_fd(&self, index: u64) -> Result<OwnedFd> {
        let mut fds = self.fds.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(index)
            .ok()
            .and_then(|index| fds.get_mut(index)?.take())
            .ok_or_else(|| Error::decode(format!("descriptor {index} is not in the message, or was taken before")))
    }

    /// Where its large blocks lie.
    pub(super) fn spill(&self) -> &SpillReader {
        &self.spill
    }

    fn map_body(&mut self, offset: u64, length: u64) -> Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut place = Place::default();
        place.add(offset)?;
        self.spill.check(place, length, &mut Ends::default())?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(end) = start.checked_add(length).and_then(NonZeroUsize::new) else { return Ok(()) };
        self.body = Some((self.spill.map(end)?, start));
        Ok(())
    }
}
