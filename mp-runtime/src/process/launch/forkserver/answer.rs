//! What becomes of an order: README.md has the table.

use std::{io, sync::atomic::Ordering};

use nix::libc;

use super::{
    super::start::Started,
    running::{PID, Running, TICKET, wait},
    stock::Ordered,
    wire,
};
use crate::{
    codec::Decoder,
    error::{Error, Result},
    ipc::{Whatever, recv_whatever},
    process::outcome::kind,
    sys::{
        clone::{self, Child},
        clone3, pidfd,
        poll::{self, Deadline},
        socket::Wait,
        waitid,
    },
};

/// What became of an order.
pub(super) enum Answer {
    Started(Started),
    /// The server died, and there is no child.
    Never,
}

impl Running {
    /// Waits for the answer to an order. After an error there is no child.
    pub(super) fn answer(&self, Ordered { ticket, control }: Ordered) -> Result<Answer> {
        let (mut said, mut lost) = (Vec::new(), false);
        loop {
            let dead = wait(&control, &self.server)?;
            let mut message = match recv_whatever(&control, Vec::new(), Wait::No)? {
                Whatever::Message(message) => message,
                // This process has no room for the descriptor of a child, or for those of what it has said already.
                Whatever::Bare(kind::FORKED, body) => {
                    waitid::end_child(wire::read_bare(body)?);
                    return Err(no_room());
                }
                Whatever::Bare(..) => {
                    lost = true;
                    continue;
                }
                Whatever::Nothing if !dead => continue,
                // It would have said so before it ended.
                Whatever::Nothing | Whatever::End => {
                    return Ok(match self.left_behind(ticket)? {
                        Some(process) => Answer::Started(Started { process, control, said }),
                        None => Answer::Never,
                    });
                }
            };
            match message.kind() {
                kind::FORKED => {
                    let started = Started { process: wire::read_forked(&message)?, control, said };
                    if lost {
                        end(started);
                        return Err(no_room());
                    }
                    return Ok(Answer::Started(started));
                }
                kind::NOT_FORKED => return Err(Decoder::new(&message).take::<Error>()?),
                _ => {
                    message.shrink();
                    said.push(message);
                }
            }
        }
    }

    /// The child that a server has forked for an order before it died, without having said so.
    fn left_behind(&self, ticket: u64) -> Result<Option<Child>> {
        // One that has closed the socket without a word will not say it any more.
        pidfd::send_signal(&self.server.pidfd, libc::SIGKILL).ok();
        poll::readable(&self.server.pidfd, Deadline::NEVER)
            .map_err(|error| Error::os("wait for the fork server's end", error))?;
        let [of, pid] = [TICKET, PID].map(|index| self.known.get(index));
        let (Some(of), Some(pid)) = (of, pid) else { return Ok(None) };
        let pid = clone3::pid_in(pid);
        if of.load(Ordering::Acquire) != ticket || pid == 0 {
            return Ok(None);
        }
        // It is a child of this process that nobody has collected, so the number is still its own.
        match pidfd::open(pid) {
            Ok(pidfd) => Ok(Some(Child { pid, pidfd })),
            Err(error) => {
                waitid::end_child(pid);
                Err(Error::os(format!("watch process {pid}"), error))
            }
        }
    }

    /// Ends a child that is not wanted any more.
    pub(super) fn dismiss(&self, ordered: Ordered) {
        if let Ok(Answer::Started(started)) = self.answer(ordered) {
            end(started);
        }
    }
}

/// Ends a child that has nothing to do.
pub(super) fn end(Started { process, control, .. }: Started) {
    // It ends when it sees this; at once, if it may be killed, which it may not if this process has given up its rights meanwhile.
    drop(control);
    pidfd::send_signal(&process.pidfd, libc::SIGKILL).ok();
    clone::reap(&process);
}

fn no_room() -> Error {
    Error::os("receive the descriptor of the process", io::Error::from_raw_os_error(libc::EMFILE))
}
