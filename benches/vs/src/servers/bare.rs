//! The limit: a bare server that is sent a `u64`, copies itself by `clone3(2)` so that the copy is a child of whoever asked, and passes its pidfd on; the
//! copy adds one and ends.

use std::{
    env,
    io::IoSliceMut,
    mem::size_of,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
    process::{Child, Command, ExitCode, Stdio},
    ptr,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        socket::{
            AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send,
            sendmsg, socketpair,
        },
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
};

use crate::Failure;

const SERVER: &str = "--the-bare-server";

/// Asked first of all in `main`; a process for which it holds starts nothing but copies of itself, which start nothing.
pub(crate) fn is_server() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == SERVER)
}

/// Its socket is its standard input.
pub(crate) fn serve() -> ExitCode {
    let mut word = [0; 8];
    while matches!(recv(0, &mut word, MsgFlags::empty()), Ok(8)) {
        let mut pidfd: RawFd = -1;
        // SAFETY: all-zero is valid: no addresses.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        arguments.flags = (libc::CLONE_PARENT | libc::CLONE_PIDFD) as u64;
        arguments.pidfd = ptr::from_mut(&mut pidfd).expose_provenance() as u64;
        // SAFETY: one thread, memory is copied, and the address is of a live integer.
        match unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) } {
            0 => {
                let next = u64::from_ne_bytes(word) + 1;
                let sent = send(0, &next.to_ne_bytes(), MsgFlags::empty());
                // SAFETY: takes an integer, does not return.
                unsafe { libc::_exit(i32::from(sent.is_err())) }
            }
            pid if pid > 0 => {
                // SAFETY: the kernel has just made it for us.
                let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
                let (word, fds) = ((pid as u32).to_ne_bytes(), [pidfd.as_raw_fd()]);
                let parts = [std::io::IoSlice::new(&word)];
                if sendmsg::<()>(0, &parts, &[ControlMessage::ScmRights(&fds)], MsgFlags::empty(), None).is_err() {
                    return ExitCode::FAILURE;
                }
            }
            _ => return ExitCode::FAILURE,
        }
    }
    ExitCode::SUCCESS
}

/// A server of this process's.
pub(crate) struct Bare {
    socket: OwnedFd,
    server: Child,
}

impl Bare {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (socket, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let server = Command::new("/proc/self/exe").arg(SERVER).stdin(Stdio::from(theirs)).spawn()?;
        Ok(Self { socket, server })
    }

    pub(crate) fn start_and_join(&self, x: u64) -> Result<u64, Failure> {
        send(self.socket.as_raw_fd(), &x.to_ne_bytes(), MsgFlags::empty())?;
        let (mut answer, mut pidfd) = (None, None);
        // The child and the server: either may be first.
        while answer.is_none() || pidfd.is_none() {
            let mut word = [0; 8];
            let mut room = nix::cmsg_space!([RawFd; 1]);
            let mut parts = [IoSliceMut::new(&mut word)];
            let message =
                recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC)?;
            let mut fds = Vec::new();
            for control in message.cmsgs()? {
                if let ControlMessageOwned::ScmRights(came) = control {
                    fds = came;
                }
            }
            match (message.bytes, fds.as_slice()) {
                (4, [fd]) => {
                    // SAFETY: the kernel has just made it for us.
                    pidfd = Some(unsafe { OwnedFd::from_raw_fd(*fd) });
                }
                (8, _) => answer = Some(u64::from_ne_bytes(word)),
                (bytes, _) => return Err(format!("the bare server sent {bytes} bytes").into()),
            }
        }
        let (Some(answer), Some(pidfd)) = (answer, pidfd) else { return Err("no answer".into()) };
        poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
        match waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED)? {
            WaitStatus::Exited(_, 0) => Ok(answer),
            other => Err(format!("the bare server's child: {other:?}").into()),
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}
