//! `socketpair(2)`, `send(2)`, `sendmsg(2)` and `recvmsg(2)` on SEQPACKET sockets, with descriptors riding along.

use std::{
    io::{self, IoSlice},
    mem::{MaybeUninit, size_of},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, getsockopt, send as send_bytes, sendmsg,
        socketpair, sockopt,
    },
};

/// The most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
pub(crate) const MAX_FDS: usize = 253;

/// Whether a call may wait for the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Yes,
    No,
}

impl Wait {
    #[inline]
    fn flags(self) -> MsgFlags {
        match self {
            Self::Yes => MsgFlags::empty(),
            Self::No => MsgFlags::MSG_DONTWAIT,
        }
    }
}

/// Two connected sockets that keep messages whole; both close-on-exec.
pub(crate) fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Whether `fd` is a Unix socket that keeps messages whole.
pub(crate) fn is_seqpacket(fd: impl AsFd) -> bool {
    getsockopt(&fd, sockopt::SockType).is_ok_and(|kind| kind == SockType::SeqPacket)
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

/// Whether all of a message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    /// Not all of its descriptors fitted into this process's table; the others are gone.
    FdsLost,
    /// It was longer than the buffer; the rest is gone.
    BytesLost,
}

/// Takes one message: puts its bytes in place of the content of `buffer`, as far as its capacity goes, and its
/// descriptors behind those in `fds`. EAGAIN: none is there, and `wait` says not to wait for one. Nothing at all: the
/// other side is gone.
#[inline]
pub(crate) fn recv(socket: impl AsFd, buffer: &mut Vec<u8>, fds: &mut Vec<OwnedFd>, wait: Wait) -> io::Result<Whole> {
    buffer.clear();
    let (length, whole) = receive(socket.as_fd(), buffer.spare_capacity_mut(), fds, wait.flags())?;
    // SAFETY: the kernel has written that many bytes to where the vector's elements belong, and says no more
    // than there was room for, as MSG_TRUNC was not among the flags.
    unsafe { buffer.set_len(length) };
    Ok(whole)
}

/// How long the message is that comes next, without taking it. Zero: the other side is gone. With more than one
/// reader, another may take it in between.
///
/// EAGAIN: none is there, and `wait` says not to wait for one. EMFILE: this process has no room for its descriptors, which would be lost with it if it
/// were taken now.
pub(crate) fn next_length(socket: impl AsFd, wait: Wait) -> io::Result<usize> {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC | wait.flags();
    match receive(socket.as_fd(), &mut [], &mut Vec::new(), flags)? {
        (_, Whole::FdsLost) => Err(io::Error::from_raw_os_error(libc::EMFILE)),
        (length, _) => Ok(length),
    }
}

/// Room for as many descriptors as the kernel sends in one message; u64s, as its headers want to be aligned.
type Control = [MaybeUninit<u64>; 16 / 8 + (MAX_FDS * size_of::<RawFd>()).div_ceil(8)];

fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    fds: &mut Vec<OwnedFd>,
    flags: MsgFlags,
) -> io::Result<(usize, Whole)> {
    let mut control: Control = [MaybeUninit::uninit(); _];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: &raw mut part,
        msg_iovlen: 1,
        msg_control: control.as_mut_ptr().cast(),
        msg_controllen: size_of::<Control>(),
        msg_flags: 0,
    };
    let flags = (flags | MsgFlags::MSG_CMSG_CLOEXEC).bits();
    let length = loop {
        // SAFETY: the message's parts point to memory that is ours to write, with its true lengths; they live here.
        let returned = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        match usize::try_from(returned) {
            Ok(length) => break length,
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    };
    if message.msg_controllen > 0 {
        take_fds(&message, fds);
    }
    let whole = match message.msg_flags {
        flags if flags & libc::MSG_CTRUNC != 0 => Whole::FdsLost,
        flags if flags & libc::MSG_TRUNC != 0 => Whole::BytesLost,
        _ => Whole::Yes,
    };
    Ok((length, whole))
}

#[cold]
fn take_fds(message: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: the kernel has filled the message's control buffer, up to `msg_controllen`.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return a whole header inside the buffer, or null.
    while let Some(header) = unsafe { next.as_ref() } {
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: the header is inside the buffer, and the kernel has put data behind it.
            let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
            let length = header.cmsg_len.saturating_sub(data.addr() - ptr::from_ref(header).addr());
            for index in 0..length / size_of::<RawFd>() {
                // SAFETY: `cmsg_len` bytes, headers included, are in the buffer.
                let place = unsafe { data.add(index) };
                // SAFETY: in the buffer, as above, and written by the kernel.
                let fd = unsafe { place.read_unaligned() };
                // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
                fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: both are of the same message.
        next = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
}
