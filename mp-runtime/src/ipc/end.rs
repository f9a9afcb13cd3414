//! One end of a connection, whatever is sent on it: whole messages over a SEQPACKET socket, with deadlines.
//!
//! The kernel keeps messages whole, so an end needs no lock: any number of threads and processes may use it at
//! once, and who dies in the middle of a call has sent or taken a message, or has not. Nothing here relies on the
//! socket's mode (`O_NONBLOCK`), which all its users share.
//!
//! What belongs to this transport is in this file. Another one takes its place beside it.

use std::{
    fmt, io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use nix::libc;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    codec::{Encoded, Encoder, MAX_FRAME, Message, announced_fds, handles, scratch},
    error::{Error, RecvError, Result, SendError},
    sys::{
        fcntl,
        poll::{self, Deadline},
        recvmsg::{self, Arrived, Whole},
        socket::{self, Socket, Wait, would_block},
    },
};

/// How often it is looked whether fewer descriptors are on their way.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// One end. Clones are the same end.
#[derive(Clone)]
pub(super) struct End(Arc<Socket>);

/// Two ends, each other's peers.
pub(super) fn pair() -> Result<(End, End)> {
    let (one, other) = socket::seqpacket_pair().map_err(|error| Error::os("make a pair of sockets", error))?;
    Ok((End::new(one), End::new(other)))
}

impl End {
    fn new(socket: OwnedFd) -> Self {
        Self(Arc::new(Socket::new(socket)))
    }

    /// The same end under a descriptor of its own, if clones of this one exist.
    #[cfg(feature = "tokio")]
    pub(super) fn unshared(self) -> io::Result<Self> {
        if Arc::strong_count(&self.0) == 1 { Ok(self) } else { fcntl::duplicate(&self.0).map(Self::new) }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.0)
    }

    /// Sends what was encoded as one message of this kind; waits for room until the deadline.
    pub(super) fn send(&self, mut encoder: Encoder, kind: u8, deadline: Deadline) -> Result<(), SendError> {
        let sent = encoder.packet(kind).map(|packet| socket::send(&*self.0, packet, may_wait(deadline)));
        if let Some(Ok(())) = sent {
            encoder.recycle();
            return Ok(());
        }
        self.send_slowly(encoder, kind, deadline, sent.and_then(io::Result::err))
    }

    /// The same for a message that has more to it than bytes, or whose first attempt ended in an error.
    #[cold]
    fn send_slowly(
        &self,
        encoder: Encoder,
        kind: u8,
        deadline: Deadline,
        first: Option<io::Error>,
    ) -> Result<(), SendError> {
        let mut message = finish(encoder, kind)?;
        let mut sent = match first {
            Some(error) => self.overcome(error, &mut message, may_wait(deadline)),
            None => self.attempt(&mut message, may_wait(deadline)),
        };
        loop {
            match sent {
                Ok(true) => return Ok(()),
                Ok(false) if deadline.is_over() => return Err(SendError::TimedOut),
                // The socket tells only when much of its room is free again, so there is an attempt after the last wait, too.
                Ok(false) => drop(poll::writable(&self.0, deadline).map_err(send_failed)?),
                // It is a kind of room, but nothing tells when there is some again.
                Err(SendError::Os(error)) if is_too_many_on_their_way(&error) && !deadline.is_over() => {
                    thread::sleep(deadline.rest_at_most(LOOK_AGAIN));
                }
                Err(error) => return Err(error),
            }
            sent = self.attempt(&mut message, may_wait(deadline));
        }
    }

    /// Sends the message if there is room for it; returns whether there was.
    pub(super) fn attempt(&self, message: &mut Encoded, wait: Wait) -> Result<bool, SendError> {
        match message.send(&self.0, wait) {
            Ok(()) => Ok(true),
            Err(error) => self.overcome(error, message, wait),
        }
    }

    /// What an attempt that ended in `error` comes to: some errors are worth another one.
    fn overcome(&self, error: io::Error, message: &mut Encoded, wait: Wait) -> Result<bool, SendError> {
        match error.raw_os_error() {
            _ if would_block(&error) => Ok(false),
            // Said once, to whoever asks next, when a peer went away and left messages unread.
            Some(libc::ECONNRESET) => self.attempt(message, wait),
            Some(libc::EPIPE) => Err(SendError::Disconnected),
            Some(libc::EMSGSIZE) => {
                message.shrink().map_err(SendError::Os)?;
                self.attempt(message, wait)
            }
            _ => Err(send_failed(error)),
        }
    }

    /// Takes the next message; waits for one until the deadline.
    pub(super) fn recv(&self, deadline: Deadline) -> Result<Message, RecvError> {
        let mut bytes = scratch::take();
        bytes.reserve(MAX_FRAME);
        let mut fds = Vec::new();
        match self.take(&mut bytes, &mut fds, may_wait(deadline)) {
            Ok(Whole::Yes) if !bytes.is_empty() && fds.is_empty() => {}
            first => self.recv_slowly(first, &mut bytes, &mut fds, deadline)?,
        }
        Message::new(bytes, fds).map_err(RecvError::Undecodable)
    }

    /// The same, from where the first attempt has led to something else than a message of nothing but bytes.
    #[cold]
    fn recv_slowly(
        &self,
        mut taken: io::Result<Whole>,
        bytes: &mut Vec<u8>,
        fds: &mut Vec<Arrived>,
        deadline: Deadline,
    ) -> Result<(), RecvError> {
        loop {
            let error = match taken {
                Ok(whole) => return self.check(whole, bytes, fds),
                Err(error) => error,
            };
            match error.raw_os_error() {
                _ if would_block(&error) => {
                    if deadline.is_over() || !self.poll(deadline)? {
                        scratch::put_back(mem::take(bytes));
                        return Err(RecvError::TimedOut);
                    }
                }
                // As above; what the peer had sent before is still there.
                Some(libc::ECONNRESET) => {}
                _ => return Err(recv_failed(error)),
            }
            taken = self.take(bytes, fds, may_wait(deadline));
        }
    }

    /// Waits until there is a message, or the end of the stream, but not longer than to the deadline.
    pub(super) fn poll(&self, deadline: Deadline) -> Result<bool, RecvError> {
        poll::readable(&self.0, deadline).map_err(recv_failed)
    }

    #[inline]
    fn take(&self, bytes: &mut Vec<u8>, fds: &mut Vec<Arrived>, wait: Wait) -> io::Result<Whole> {
        if self.0.fds_came.load(Ordering::Relaxed) {
            // Neither call may wait: a message wakes one of those who wait in them, and if that one then leaves it
            // where it is, or dies, the others sleep on beside it. `poll` wakes all.
            self.check_room()?;
            return recvmsg::recv(&self.0, bytes, fds, Wait::No);
        }
        recvmsg::recv(&self.0, bytes, fds, wait)
    }

    /// EMFILE: the next message has descriptors for which this process has no room now, but may have later.
    #[cold]
    fn check_room(&self) -> io::Result<()> {
        let seen = recvmsg::peek(&self.0)?;
        let announced = announced_fds(seen.head);
        if seen.fds_would_be_lost && announced <= socket::MAX_FDS && fcntl::may_have_later(&self.0, announced)? {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn looks_first(&self) -> bool {
        self.0.fds_came.load(Ordering::Relaxed)
    }

    /// Whether what came is a message, as far as that can be seen without looking into it.
    fn check(&self, whole: Whole, bytes: &[u8], fds: &[Arrived]) -> Result<(), RecvError> {
        if whole == Whole::Yes && bytes.is_empty() && fds.is_empty() {
            return Err(self.nothing_came());
        }
        if !fds.is_empty() || whole == Whole::FdsLost {
            self.0.fds_came.store(true, Ordering::Relaxed);
        }
        match whole {
            Whole::Yes => Ok(()),
            Whole::FdsLost => {
                let cause = io::Error::from_raw_os_error(libc::EMFILE);
                let what = format!(
                    "a message is lost: it came with more descriptors than the {} that this process had room for",
                    fds.len()
                );
                Err(RecvError::Os(Error::os(what, cause)))
            }
            Whole::BytesLost => Err(RecvError::Undecodable(Error::protocol(format!(
                "a message is longer than the {MAX_FRAME} bytes that one may have"
            )))),
        }
    }

    /// The end of the stream, or a message of no bytes from someone who does not speak our language.
    fn nothing_came(&self) -> RecvError {
        let is_end = poll::is_hung_up(&self.0).map(|hung_up| {
            // Hung up, with more behind this one?
            hung_up && !recvmsg::peek(&self.0).is_ok_and(|seen| seen.length > 0)
        });
        match is_end {
            Ok(true) => RecvError::Disconnected,
            Ok(false) => RecvError::Undecodable(Error::protocol("a message without even a header")),
            Err(error) => recv_failed(error),
        }
    }
}

/// The message that was encoded, as one of this kind.
pub(super) fn finish(encoder: Encoder, kind: u8) -> Result<Encoded, SendError> {
    let mut message = encoder.finish(kind).map_err(unencodable)?;
    message.weigh();
    Ok(message)
}

#[inline]
fn may_wait(deadline: Deadline) -> Wait {
    if deadline.is_never() { Wait::Yes } else { Wait::No }
}

/// A want of memory or descriptors is the kernel's word, not the value's fault.
#[cold]
pub(super) fn unencodable(error: Error) -> SendError {
    if error.raw_os_error().is_some() { SendError::Os(error) } else { SendError::Unencodable(error) }
}

#[cold]
pub(super) fn send_failed(error: io::Error) -> SendError {
    let action = match error.raw_os_error() {
        Some(libc::ETOOMANYREFS) => {
            "send a message with descriptors, as large values are: too many of this user's are on their way in messages that \
             nobody has received (`ulimit -n`)"
        }
        _ => "send a message",
    };
    SendError::Os(Error::os(action, error))
}

fn is_too_many_on_their_way(error: &Error) -> bool {
    error.raw_os_error() == Some(libc::ETOOMANYREFS)
}

#[cold]
pub(super) fn recv_failed(error: io::Error) -> RecvError {
    RecvError::Os(Error::os("receive a message", error))
}

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handles::serialize(self.as_fd(), serializer)
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let socket = handles::deserialize(deserializer)?;
        if !socket::is_seqpacket(&socket) {
            return Err(de::Error::custom("the descriptor is no end of a connection"));
        }
        socket::reset_options(&socket).map_err(de::Error::custom)?;
        Ok(Self::new(socket))
    }
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd {}", self.0.as_fd().as_raw_fd())
    }
}
