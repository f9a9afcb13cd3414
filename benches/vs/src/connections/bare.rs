//! The limit: a SEQPACKET socket and one system call at each end, with nothing around them.

use std::{
    cell::RefCell,
    io::IoSliceMut,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use multiprocess as mp;
use nix::{
    cmsg_space,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, recvmsg, send, socketpair},
};
use serde::{Deserialize, Serialize};

use super::work::{Peer, Served, serve};
use crate::Failure;

/// As much as goes in one packet; what is longer goes in several.
const PACKET: usize = 64 << 10;

/// The most descriptors that the kernel delivers with one packet.
const MAX_FDS: usize = 253;

/// By which system call packets are received.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Receive {
    /// recv(2).
    Plain,
    /// recvmsg(2), with room for descriptors: what a transport needs that may bring some.
    WithRoom,
}

/// How many bytes a message and an answer have.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Lengths {
    pub(crate) message: usize,
    pub(crate) answer: usize,
}

pub(crate) struct Bare {
    socket: OwnedFd,
    receive: Receive,
    outgoing: Vec<u8>,
    incoming: RefCell<Vec<u8>>,
    control: RefCell<Vec<u8>>,
}

/// Starts a child that answers each batch.
pub(crate) fn start(receive: Receive, lengths: Lengths, batch: u32) -> Result<Peer<Bare>, Failure> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let child = mp::spawn(answer_batches, (theirs.into(), receive, lengths, batch))?;
    Ok(Peer::new(Bare::new(ours, receive, lengths.message, lengths.answer), child))
}

#[mp::process_target]
fn answer_batches(socket: mp::Handle<OwnedFd>, receive: Receive, lengths: Lengths, batch: u32) -> Served {
    let bare = Bare::new(socket.into_inner(), receive, lengths.answer, lengths.message);
    serve(batch, || bare.receive(), |_| bare.send())
}

impl Bare {
    fn new(socket: OwnedFd, receive: Receive, outgoing: usize, incoming: usize) -> Self {
        let mut control = cmsg_space!([RawFd; MAX_FDS]);
        control.resize(control.capacity(), 0);
        let (outgoing, incoming) = (vec![1; outgoing], vec![1; incoming]);
        Self { socket, receive, outgoing, incoming: incoming.into(), control: control.into() }
    }

    pub(crate) fn send(&self) -> nix::Result<()> {
        let mut packets = self.outgoing.chunks(PACKET);
        packets.try_for_each(|packet| send(self.socket.as_raw_fd(), packet, MsgFlags::MSG_NOSIGNAL).map(drop))
    }

    /// How long the message was that came; `None`: the other side has ended.
    fn receive(&self) -> nix::Result<Option<u64>> {
        let (mut incoming, mut length) = (self.incoming.borrow_mut(), 0);
        if incoming.len() > PACKET {
            // Fresh memory, as for a value: that is a good part of what something so large costs.
            *incoming = vec![0; incoming.len()];
        }
        for room in incoming.chunks_mut(PACKET) {
            match self.packet(room)? {
                0 => return Ok(None),
                more => length += more as u64,
            }
        }
        Ok(Some(length))
    }

    /// How long the answer was.
    pub(crate) fn answer(&self) -> Result<u64, Failure> {
        self.receive()?.ok_or_else(|| "the child has ended".into())
    }

    fn packet(&self, room: &mut [u8]) -> nix::Result<usize> {
        let socket = self.socket.as_raw_fd();
        match self.receive {
            Receive::Plain => recv(socket, room, MsgFlags::empty()),
            Receive::WithRoom => {
                let (mut parts, mut control) = ([IoSliceMut::new(room)], self.control.borrow_mut());
                let received = recvmsg::<()>(socket, &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
                Ok(received.bytes)
            }
        }
    }
}
