//! `recvmsg(2)`: a message off a SEQPACKET socket, with the descriptors that came along.

use std::{
    io,
    mem::{MaybeUninit, size_of},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, setsockopt, sockopt},
};

use super::{
    fcntl,
    socket::{self, MAX_FDS, Wait},
};

/// Whether all of a message was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    Yes,
    /// Not all of its descriptors fitted into this process's table; the others are gone.
    FdsLost,
    /// It was longer than the buffer; the rest is gone.
    BytesLost,
}

/// A descriptor that came with a message and that nobody has asked for yet. It may be anything: a close that waits
/// for a stranger's peer (SO_LINGER) is not waited for.
#[derive(Debug)]
pub(crate) struct Arrived(Option<OwnedFd>);

impl Arrived {
    /// `None`: never, as it is taken only once.
    pub(crate) fn into_fd(mut self) -> Option<OwnedFd> {
        self.0.take()
    }
}

impl From<OwnedFd> for Arrived {
    fn from(fd: OwnedFd) -> Self {
        Self(Some(fd))
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if let Some(fd) = &self.0 {
            let off = libc::linger { l_onoff: 0, l_linger: 0 };
            // What is no socket has nothing to linger for.
            setsockopt(fd, sockopt::Linger, &off).ok();
        }
    }
}

/// Takes one message: puts its bytes in place of the content of `buffer`, as far as its capacity goes, and its
/// descriptors behind those in `fds`. EAGAIN: none is there, and `wait` says not to wait for one. Nothing at all: the
/// other side is gone.
#[inline]
pub(crate) fn recv(socket: impl AsFd, buffer: &mut Vec<u8>, fds: &mut Vec<Arrived>, wait: Wait) -> io::Result<Whole> {
    buffer.clear();
    let (length, whole) = receive(socket.as_fd(), buffer.spare_capacity_mut(), fds, wait.flags())?;
    // SAFETY: the kernel has written that many bytes to where the vector's elements belong, and says no more
    // than there was room for, as MSG_TRUNC was not among the flags.
    unsafe { buffer.set_len(length) };
    Ok(whole)
}

/// What a look at the next message shows, which stays where it is. With more than one reader, another may take it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Zero: the other side is gone.
    pub(crate) length: usize,
    /// Its first bytes, as far as there are so many.
    pub(crate) head: [u8; 8],
    /// Not all of its descriptors would fit into this process's table now; the others would be lost.
    pub(crate) fds_would_be_lost: bool,
}

/// Looks at the next message without waiting for one. EAGAIN: none is there.
pub(crate) fn peek(socket: impl AsFd) -> io::Result<Seen> {
    peek_with(socket, &mut Vec::new())
}

/// The same, with copies of the message's descriptors put behind those in `fds`.
pub(crate) fn peek_with(socket: impl AsFd, fds: &mut Vec<Arrived>) -> io::Result<Seen> {
    let mut head = [MaybeUninit::new(0_u8); 8];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    let (length, whole) = receive(socket.as_fd(), &mut head, fds, flags)?;
    // SAFETY: all of it was initialised, and what the kernel has written since is bytes too.
    let head = head.map(|byte| unsafe { byte.assume_init() });
    Ok(Seen { length, head, fds_would_be_lost: whole == Whole::FdsLost })
}

/// The first bytes of the message before which there are `skipped` bytes of others on the socket, without its descriptors; none if there is
/// none. From then on a peek begins there, until it is said otherwise.
pub(crate) fn peek_behind(socket: impl AsFd, skipped: usize) -> io::Result<Option<[u8; 8]>> {
    socket::begin_peeks_at(&socket, skipped)?;
    let mut head = [0; 8];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    loop {
        match nix::sys::socket::recv(socket.as_fd().as_raw_fd(), &mut head, flags) {
            Ok(0) | Err(Errno::EAGAIN) => return Ok(None),
            Ok(_) => break,
            Err(Errno::EINTR | Errno::ECONNRESET) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    socket::begin_peeks_at(socket, skipped)?;
    Ok(Some(head))
}

/// Room for as many descriptors as the kernel sends in one message, and for whatever else another holder of the
/// socket may have asked it to add; u64s, as its headers want to be aligned.
type Control = [MaybeUninit<u64>; (16 + MAX_FDS * size_of::<RawFd>() + 512).div_ceil(8)];

/// Linux 6.5; the libc crate does not have it yet.
const SCM_PIDFD: libc::c_int = 4;

/// Receives once. The length is the message's own, which with MSG_TRUNC among the flags may be more than the buffer has
/// room for, and never is without it.
fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [MaybeUninit<u8>],
    fds: &mut Vec<Arrived>,
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
fn take_fds(message: &libc::msghdr, fds: &mut Vec<Arrived>) {
    // SAFETY: the kernel has filled the message's control buffer, up to `msg_controllen`.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return a whole, aligned header inside the buffer, or null.
        let header = unsafe { next.read() };
        let kind = (header.cmsg_level, header.cmsg_type);
        if matches!(kind, (libc::SOL_SOCKET, libc::SCM_RIGHTS | SCM_PIDFD)) {
            // SAFETY: the header is inside the buffer, and the kernel has put data behind it.
            let data = unsafe { libc::CMSG_DATA(next) }.cast::<RawFd>();
            let length = header.cmsg_len.saturating_sub(data.addr() - next.addr());
            for index in 0..length / size_of::<RawFd>() {
                // SAFETY: `cmsg_len` bytes, headers included, are in the buffer.
                let place = unsafe { data.add(index) };
                // SAFETY: in the buffer, as above, and written by the kernel.
                let fd = unsafe { place.read_unaligned() };
                if fd < 0 {
                    continue;
                }
                // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
                let fd = Arrived(Some(fcntl::above_stdio_if_possible(unsafe { OwnedFd::from_raw_fd(fd) })));
                // A record that another holder of the socket has asked for is none of the message's.
                if kind.1 == libc::SCM_RIGHTS {
                    fds.push(fd);
                }
            }
        }
        // SAFETY: both are of the same message.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
}
