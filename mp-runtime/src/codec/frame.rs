//! How a message looks on a socket: a header, the body, and descriptors beside it.
//!
//! | bytes | content |
//! |---|---|
//! | 0..3 | `mp` and a zero |
//! | 3 | the version of all this, 1 |
//! | 4 | the kind of message |
//! | 5 | low four bits, 1: the body lies in the last memfd; high four bits: how many sealed memfds come first among the descriptors |
//! | 6..8 | how many descriptors there are behind these |
//! | 8..16 | where in the memfd the body lies; zero where it follows the header |
//! | 16..24 | the length of the body; what may follow it is there to take up room |

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use super::{
    blocks::MIN_SPILL,
    message::Message,
    spill::{MAX_PARTS, SpillWriter},
};
use crate::{
    error::{Error, Result},
    sys::{
        fcntl,
        recvmsg::Arrived,
        socket::{self, Wait},
    },
};

pub(super) const MAGIC: [u8; 4] = [b'm', b'p', 0, 1];
pub(crate) const HEADER: usize = 24;
/// Where in the header the number of descriptors stands.
const COUNT: std::ops::Range<usize> = 6..8;
pub(super) const BODY_IN_MEMFD: u8 = 1;
/// By so many bits above the flags stands how many memfds there are.
pub(super) const MEMFDS_SHIFT: u8 = 4;
/// One for the body of a message that has to be made smaller after all.
pub(super) const MAX_MEMFDS: usize = MAX_PARTS + 1;

/// No message takes more bytes than this on a socket, whatever it carries.
pub(crate) const MAX_FRAME: usize = HEADER + MIN_SPILL;

/// What a message is padded by for each descriptor, so that few are on their way: a user may have only as many
/// as RLIMIT_NOFILE says, in all messages together.
const PADDING_OF_FD: usize = 1 << 10;
/// For how many bytes in its memfds a message is padded by one.
const SPILLED_PER_PADDING: usize = 80;
/// The least that a message with memfds is padded by: 32 of them then fill a socket.
const MIN_PADDING: usize = 6 << 10;
/// The most that any message is padded by: four of them then fill a socket.
const MAX_PADDING: usize = 60 << 10;

/// A value on its way out.
pub(crate) struct Encoded {
    /// The header, and the body unless it lies in a memfd.
    packet: Vec<u8>,
    /// Most messages have none.
    attached: Option<Box<Attached>>,
}

/// What goes beside the bytes.
struct Attached {
    memfds: Vec<OwnedFd>,
    fds: Vec<OwnedFd>,
    /// How many bytes are in the memfds.
    spilled: usize,
}

impl Encoded {
    /// A message without content.
    pub(crate) fn empty(kind: u8) -> Self {
        Self { packet: Header::new(kind, 0).bytes(0).to_vec(), attached: None }
    }

    /// `packet` is a body behind room for a header.
    pub(super) fn new(
        kind: u8,
        mut packet: Vec<u8>,
        mut spill: SpillWriter,
        fds: Vec<OwnedFd>,
        spilled_from: usize,
    ) -> Result<Self> {
        if spill.is_empty() && fds.is_empty() && complete(kind, &mut packet) {
            return Ok(Self { packet, attached: None });
        }
        let length = packet.len() - HEADER;
        let mut header = Header { fds: fds.len(), ..Header::new(kind, length) };
        if length >= spilled_from {
            header.offset = spill.write_at_the_end(&packet[HEADER..])?;
            header.flags = BODY_IN_MEMFD;
            packet.truncate(HEADER);
        }
        let spilled = spill.length();
        check_count(fds.len(), socket::MAX_FDS - spill.memfds())?;
        let memfds = spill.seal()?;
        packet[..HEADER].copy_from_slice(&header.bytes(memfds.len()));
        Ok(Self { packet, attached: Some(Box::new(Attached { memfds, fds, spilled })) })
    }

    /// The same of parts that stay: `body` stands behind room for a header, and the descriptors are duplicated.
    pub(super) fn of_parts(kind: u8, packet: &[u8], fds: &[OwnedFd]) -> Result<Self> {
        let fds: io::Result<Vec<_>> = fds.iter().map(fcntl::duplicate).collect();
        let fds = fds.map_err(|error| Error::os("duplicate the descriptors of a message", error))?;
        if packet.len() < MAX_FRAME {
            return Self::new(kind, packet.to_vec(), SpillWriter::default(), fds, MIN_SPILL);
        }
        let (mut spill, body) = (SpillWriter::default(), packet.get(HEADER..).unwrap_or_default());
        check_count(fds.len(), socket::MAX_FDS - 1)?;
        let offset = spill.write_at_the_end(body)?;
        let header = Header { flags: BODY_IN_MEMFD, fds: fds.len(), offset, ..Header::new(kind, body.len()) };
        let (spilled, memfds) = (spill.length(), spill.seal()?);
        let packet = header.bytes(memfds.len()).to_vec();
        Ok(Self { packet, attached: Some(Box::new(Attached { memfds, fds, spilled })) })
    }

    /// Sends it as one message; the descriptors that go are copies. EAGAIN: there is no room, and `wait` says not to
    /// wait for any.
    pub(crate) fn send(&self, socket: impl AsFd, wait: Wait) -> io::Result<()> {
        match &self.attached {
            None => socket::send(socket, &self.packet, wait),
            Some(_) => socket::send_with(socket, &self.packet, &self.descriptors(), wait),
        }
    }

    /// The same of a message without descriptors of its own, with copies of these beside it, in this order.
    pub(crate) fn send_beside(&self, socket: impl AsFd, fds: &[BorrowedFd<'_>], wait: Wait) -> io::Result<()> {
        if fds.is_empty() {
            return self.send(socket, wait);
        }
        let (mut packet, mut all) = (self.packet.clone(), self.descriptors());
        // Few: the kernel takes no more than fit into these two bytes.
        if let Some(count) = packet.get_mut(COUNT) {
            count.copy_from_slice(&(fds.len() as u16).to_le_bytes());
        }
        all.extend(fds);
        socket::send_with(socket, &packet, &all, wait)
    }

    /// It as if it had been sent and had come in, for who reads it in this process.
    pub(crate) fn into_message(self) -> Result<Message> {
        let beside = self.attached.into_iter().flat_map(|attached| attached.memfds.into_iter().chain(attached.fds));
        Message::new(self.packet, beside.map(Arrived::from).collect())
    }

    /// The header, and the body unless it lies in a memfd.
    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// What goes beside the bytes.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.attached.iter().flat_map(|attached| attached.memfds.iter().chain(&attached.fds)).map(AsFd::as_fd).collect()
    }

    /// Makes it take up room in the socket's queue for what goes beside its bytes. A socket counts only those:
    /// hundreds of large messages would fit, and the memory of all of them would be in use.
    pub(crate) fn weigh(&mut self) {
        if let Some(attached) = &self.attached {
            let of_memory = match attached.memfds.len() {
                0 => 0,
                _ => (attached.spilled / SPILLED_PER_PADDING).max(MIN_PADDING),
            };
            let padding = (of_memory + attached.fds.len() * PADDING_OF_FD).min(MAX_PADDING);
            self.packet.resize(self.packet.len().max(HEADER + padding), 0);
        }
    }

    /// Makes it as small on the socket as can be, for one whose buffer is smaller than usual (SO_SNDBUF).
    ///
    /// # Errors
    ///
    /// EMSGSIZE: it is as small as can be already.
    pub(crate) fn shrink(&mut self) -> Result<()> {
        let beside = self.attached.as_ref().map_or(0, |attached| attached.memfds.len() + attached.fds.len());
        if self.packet.len() == HEADER || beside == socket::MAX_FDS {
            let cause = io::Error::from_raw_os_error(nix::libc::EMSGSIZE);
            return Err(Error::os("send a message that cannot be made smaller", cause));
        }
        let attached =
            self.attached.get_or_insert_with(|| Box::new(Attached { memfds: Vec::new(), fds: Vec::new(), spilled: 0 }));
        let mut header = Header::read(&self.packet, attached.fds.len());
        if header.flags & BODY_IN_MEMFD == 0 {
            let mut spill = SpillWriter::default();
            header.offset = spill.write_at_the_end(&self.packet[HEADER..HEADER + header.length])?;
            header.flags |= BODY_IN_MEMFD;
            attached.spilled += header.length;
            attached.memfds.extend(spill.seal()?);
        }
        self.packet.truncate(HEADER);
        self.packet.copy_from_slice(&header.bytes(attached.memfds.len()));
        Ok(())
    }

    /// What it is on the socket, for a message without descriptors that is sent without this code: from a signal handler.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        debug_assert!(self.attached.is_none(), "descriptors do not go along");
        self.packet.clone()
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("bytes", &self.packet.len()).finish_non_exhaustive()
    }
}

/// Writes the header into the room for it before a body, if nothing else belongs to the message; returns whether
/// that is short enough for a socket.
#[inline]
pub(super) fn complete(kind: u8, packet: &mut [u8]) -> bool {
    let Some((header, body)) = packet.split_first_chunk_mut::<HEADER>() else { return false };
    *header = Header::new(kind, body.len()).bytes(0);
    body.len() < MIN_SPILL
}

/// Whether a message carries so many descriptors.
pub(super) fn check_count(count: usize, most: usize) -> Result<()> {
    if count <= most {
        return Ok(());
    }
    Err(Error::encode(format!("the value holds {count} descriptors or more; one message carries at most {most}")))
}

struct Header {
    kind: u8,
    flags: u8,
    fds: usize,
    offset: u64,
    length: usize,
}

impl Header {
    #[inline]
    fn new(kind: u8, length: usize) -> Self {
        Self { kind, flags: 0, fds: 0, offset: 0, length }
    }

    #[inline]
    fn bytes(&self, memfds: usize) -> [u8; HEADER] {
        let [m, p, zero, version] = MAGIC;
        // Both counts have been checked to be small.
        let ([few, many], flags) = ((self.fds as u16).to_le_bytes(), self.flags | (memfds as u8) << MEMFDS_SHIFT);
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&[m, p, zero, version, self.kind, flags, few, many]);
        bytes[8..16].copy_from_slice(&self.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&(self.length as u64).to_le_bytes());
        bytes
    }

    /// Of a packet that was made here.
    fn read(packet: &[u8], fds: usize) -> Self {
        let length = word(packet, 16).try_into().unwrap_or(usize::MAX);
        Self { kind: packet[4], flags: packet[5] & BODY_IN_MEMFD, fds, offset: word(packet, 8), length }
    }
}

/// The number at `at`; the largest one where the bytes end before it.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(u64::MAX, u64::from_le_bytes)
}
