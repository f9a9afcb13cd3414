//! `socketpair(2)`, `socket(7)`, `send(2)` and `sendmsg(2)`: SEQPACKET sockets, with descriptors riding along.

use std::{
    io::{self, IoSlice},
    mem::size_of,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::atomic::AtomicBool,
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, getsockopt, send as send_bytes, sendmsg,
        shutdown, socketpair, sockopt,
    },
};

use super::{errno::check, fcntl::above_stdio};

/// The most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub(crate) const MAX_FDS: usize = 253;

/// Linux 6.5; the libc crate does not have it yet.
const SO_PASSPIDFD: libc::c_int = 76;

/// Whether a call may wait for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Yes,
    No,
}

impl Wait {
    #[inline]
    pub(super) fn flags(self) -> MsgFlags {
        match self {
            Self::Yes => MsgFlags::empty(),
            Self::No => MsgFlags::MSG_DONTWAIT,
        }
    }
}

/// A socket that several users share, and what they have to tell each other.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    /// Descriptors have come in here before: from then on it is looked first whether there is room for more.
    pub(crate) fds_came: AtomicBool,
}

impl Socket {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, fds_came: AtomicBool::new(false) }
    }
}

#[cfg(feature = "tokio")]
impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Socket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether an error says that there was nothing to be had without waiting.
pub(crate) fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Two connected sockets that keep messages whole; both close-on-exec, and neither a standard stream.
pub(crate) fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    Ok((above_stdio(one)?, above_stdio(other)?))
}

/// Whether `fd` is a Unix socket that keeps messages whole.
pub(crate) fn is_seqpacket(fd: impl AsFd) -> bool {
    getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::SeqPacket)
        && option(fd.as_fd(), libc::SO_DOMAIN).is_ok_and(|domain| domain == libc::AF_UNIX)
}

/// Nothing more is sent or received on it, by whoever has it.
pub(crate) fn shut_down(socket: impl AsFd) -> io::Result<()> {
    Ok(shutdown(socket.as_fd().as_raw_fd(), Shutdown::Both)?)
}

/// Undoes what another holder of this socket may have asked for: records beside every message, and peeks that
/// begin in the middle of one.
pub(crate) fn reset_options(socket: impl AsFd) -> io::Result<()> {
    for (name, value) in [(libc::SO_PASSCRED, 0), (SO_PASSPIDFD, 0), (libc::SO_PEEK_OFF, -1)] {
        match set_option(socket.as_fd(), name, value) {
            // An older kernel has not got it.
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {}
            other => other?,
        }
    }
    Ok(())
}

/// From here on a peek passes so many bytes of messages first (Linux 3.4).
pub(super) fn begin_peeks_at(socket: impl AsFd, skipped: usize) -> io::Result<()> {
    let skipped = libc::c_int::try_from(skipped).map_err(io::Error::other)?;
    set_option(socket.as_fd(), libc::SO_PEEK_OFF, skipped)
}

fn option(socket: BorrowedFd<'_>, name: libc::c_int) -> io::Result<libc::c_int> {
    let (mut value, mut size) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    let place = (&raw mut value).cast();
    // SAFETY: `place` has room for `size` bytes, and the kernel writes no more than these.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, place, &raw mut size) })?;
    Ok(value)
}

fn set_option(socket: BorrowedFd<'_>, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is there, and as long as said.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), size) };
    check(set).map(drop)
}

/// Sends one message, without SIGPIPE. EAGAIN: there is no room, and `wait` says not to wait for any.
#[inline]
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], wait: Wait) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    // Measurably cheaper than sendmsg(2).
    uninterrupted(|| send_bytes(socket, bytes, MsgFlags::MSG_NOSIGNAL | wait.flags()))
}

/// The same with copies of descriptors beside it.
pub(crate) fn send_with(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>], wait: Wait) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    let raw: Vec<_> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let (parts, rights) = ([IoSlice::new(bytes)], [ControlMessage::ScmRights(&raw)]);
    uninterrupted(|| sendmsg::<()>(socket, &parts, &rights, MsgFlags::MSG_NOSIGNAL | wait.flags(), None))
}

#[inline]
fn uninterrupted(send: impl Fn() -> nix::Result<usize>) -> io::Result<()> {
    loop {
        match send() {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
