//! `socketpair(2)`, `sendmsg(2)` and `recvmsg(2)` on SEQPACKET sockets, with descriptors riding along.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, getsockopt, recvmsg, sendmsg,
        socketpair, sockopt,
    },
};

/// The most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub(crate) const MAX_FDS: usize = 253;

/// Two connected sockets that keep messages whole; both close-on-exec.
pub(crate) fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Whether `fd` is a Unix socket that keeps messages whole.
pub(crate) fn is_seqpacket(fd: impl AsFd) -> bool {
    getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::SeqPacket)
}

/// Sends one message made of `parts`, without blocking and without SIGPIPE.
pub(crate) fn send(socket: impl AsFd, parts: &[IoSlice<'_>], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    loop {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match sendmsg::<()>(socket.as_fd().as_raw_fd(), parts, control, flags, None) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A message as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// Part of the message, or of its descriptors, did not fit.
    pub(crate) truncated: bool,
}

/// How long the message is that comes next, without taking it or blocking. `Ok(None)`: none is there; zero: the
/// other side is gone. With more than one reader, another may take it in between.
///
/// EMFILE: this process has no room for its descriptors, which would be lost with it if it were taken now.
pub(crate) fn next_length(socket: impl AsFd) -> io::Result<Option<usize>> {
    let seen = receive(&socket, &mut [], MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC)?;
    match seen {
        Some(seen) if seen.fds_lost => Err(io::Error::from_raw_os_error(libc::EMFILE)),
        seen => Ok(seen.map(|seen| seen.length)),
    }
}

/// Takes one message without blocking. `Ok(None)`: none is there; a length of zero: the other side is gone.
pub(crate) fn try_recv(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<Received>> {
    let message = receive(&socket, buffer, MsgFlags::empty())?;
    Ok(message.map(|Raw { length, fds, fds_lost, bytes_lost }| Received {
        length,
        fds,
        truncated: fds_lost || bytes_lost,
    }))
}

struct Raw {
    length: usize,
    fds: Vec<OwnedFd>,
    fds_lost: bool,
    bytes_lost: bool,
}

fn receive(socket: &impl AsFd, buffer: &mut [u8], flags: MsgFlags) -> io::Result<Option<Raw>> {
    let mut control = nix::cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = flags | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(message) => break message,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    };
    let mut fds = Vec::new();
    let control_is_whole = message.cmsgs().map(|messages| {
        for raw in messages.filter_map(|message| match message {
            ControlMessageOwned::ScmRights(raw) => Some(raw),
            _ => None,
        }) {
            // SAFETY: the kernel has just made these descriptors for us; nobody else knows their numbers.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    });
    Ok(Some(Raw {
        length: message.bytes,
        fds,
        // The buffer has room for as many as the kernel sends in one message; the table of descriptors may not.
        fds_lost: control_is_whole.is_err() || message.flags.contains(MsgFlags::MSG_CTRUNC),
        bytes_lost: message.flags.contains(MsgFlags::MSG_TRUNC),
    }))
}
