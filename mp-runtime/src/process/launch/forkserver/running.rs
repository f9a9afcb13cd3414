//! A server as its parent has it, and the children that it is asked for.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use nix::libc;

use super::{
    super::start::Started,
    answer::{Answer, end},
    place::Place,
    stock::{Ordered, Stock},
    wire,
};
use crate::{
    codec::Encoded,
    error::{Error, Result},
    process::{
        options::{Block, Options},
        outcome::{self, kind},
    },
    shm::words::Words,
    sys::{
        clone::{self, Child},
        credentials::Credentials,
        pidfd,
        poll::{self, Deadline},
        socket::{self, Wait, would_block},
        statx::Directory,
    },
};

/// What a server and its parent both see: what stands there when the server is dead says whether the last child it was asked for exists.
pub(super) const KNOWN: usize = 2;
/// The order that the server has worked on last.
pub(super) const TICKET: usize = 0;
/// The child that came of it, in the first half; zero while there is none.
pub(super) const PID: usize = 1;

/// A server that has said that it is ready.
#[derive(Debug)]
pub(super) struct Running {
    /// Whose it is: a copy of this process, made by `fork`, has a memory of it and no right to it.
    pub(super) owner: u32,
    pub(super) server: Child,
    /// The server's control socket.
    pub(super) orders: OwnedFd,
    pub(super) known: Words,
    pub(super) tickets: AtomicU64,
    pub(super) credentials: Credentials,
    /// What it has from this process, and its children from it; `None`: another environment than it was given.
    pub(super) environment: Option<Block>,
    pub(super) directory: Directory,
    pub(super) stock: Stock,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.server.pid
    }

    /// Whether its children would be what children of this process are.
    pub(super) fn is_fit(&self) -> Result<bool> {
        let credentials = Credentials::current().map_err(|error| Error::os("ask who this process is", error))?;
        Ok(self.owner == std::process::id() && self.credentials == credentials)
    }

    /// Ends it, and the children that wait.
    pub(super) fn end(&self) {
        if self.owner != std::process::id() {
            return;
        }
        // It ends when it sees this; at once, if it may be killed.
        socket::shut_down(&self.orders).ok();
        pidfd::send_signal(&self.server.pidfd, libc::SIGKILL).ok();
        // What there is on the sockets of its children then is all that there will be.
        clone::reap(&self.server);
        while let Some(ordered) = self.stock.take() {
            self.dismiss(ordered);
        }
    }

    pub(super) fn has_stock(&self) -> bool {
        self.stock.len() > 0
    }

    /// Wakes a child that waits, if one does, before it is known what it is to do.
    pub(super) fn rouse(&self) -> Option<Ordered> {
        let ordered = self.stock.take()?;
        // One that is gone is found out about later.
        Encoded::empty(kind::WAKE).send(&ordered.control, Wait::No).ok();
        Some(ordered)
    }

    /// It is not needed after all.
    pub(super) fn put_back(&self, ordered: Ordered) {
        self.stock.put_first(ordered);
    }

    /// Hands a child its preparation: the one that was roused, one that waits, or a new one. `None`: the server has died, and nothing was started.
    pub(super) fn start_child(
        &self,
        roused: impl FnOnce() -> Option<Ordered>,
        warm: usize,
        options: &Options,
        preparation: &Encoded,
    ) -> Result<Option<Started>> {
        let place = Place::of(options, self)?;
        let hand_over = |control: &OwnedFd| {
            place.send(control)?;
            outcome::send(control, preparation)
        };
        let mut waiting = roused();
        while let Some(ordered) = waiting.take().or_else(|| self.stock.take()) {
            // It is there, or never will be, in which case a new one says why.
            let Ok(Answer::Started(started)) = self.answer(ordered) else { continue };
            match hand_over(&started.control) {
                Ok(()) => {
                    self.refill(warm);
                    return Ok(Some(started));
                }
                // Killed while it waited, it was nobody's.
                Err(error) if is_gone(&error) => end(started),
                Err(error) => {
                    end(started);
                    return Err(error);
                }
            }
        }
        // It finds all that it is to know on its socket.
        let Some(ordered) = self.order(false, hand_over)? else { return Ok(None) };
        match self.answer(ordered)? {
            Answer::Started(started) => {
                self.refill(warm);
                Ok(Some(started))
            }
            Answer::Never => Ok(None),
        }
    }

    /// For later starts; what goes wrong with it is theirs.
    fn refill(&self, warm: usize) {
        if self.stock.len() <= warm / 2 {
            self.fill(warm).ok();
        }
    }

    /// Orders children until so many wait.
    pub(super) fn fill(&self, warm: usize) -> Result<()> {
        while self.stock.len() < warm {
            match self.order(true, |_| Ok(())) {
                Ok(Some(ordered)) => self.stock.put(ordered),
                Ok(None) => break,
                Err(error) => {
                    // For want of descriptors, perhaps, which this process needs for other things, too.
                    if let Some(last) = self.stock.take_last() {
                        self.dismiss(last);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Waits until all that were ordered are there, or never will be.
    pub(super) fn wait_for_stock(&self) -> Result<()> {
        self.stock.each(|ordered| wait(&ordered.control, &self.server).map(drop))
    }

    /// Orders a child, which may have to wait long; `tell` is called with our end of its socket before. `None`: the server has died.
    fn order(&self, waits: bool, tell: impl FnOnce(&OwnedFd) -> Result<()>) -> Result<Option<Ordered>> {
        let (control, childs_end) =
            socket::seqpacket_pair().map_err(|error| Error::os("make the control socket", error))?;
        tell(&control)?;
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        loop {
            match wire::order(&self.orders, (ticket, waits), &childs_end)? {
                Ok(()) => return Ok(Some(Ordered { ticket, control })),
                Err(error) if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => return Ok(None),
                Err(error) if would_block(&error) => {
                    if self.wait_for_room()? {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(Error::os("order a process from the fork server", error)),
            }
        }
    }

    /// Waits until the server has taken some orders; says whether it is dead instead.
    fn wait_for_room(&self) -> Result<bool> {
        poll::writable_or_readable(&self.orders, &self.server.pidfd, Deadline::NEVER)
            .map_err(|error| Error::os("wait for the fork server", error))
    }
}

/// Waits until there is something on a socket that a server may write to, or it has ended; says whether that.
pub(super) fn wait(socket: &OwnedFd, server: &Child) -> Result<bool> {
    let ready = poll::all_readable(&[socket.as_fd(), server.pidfd.as_fd()], Deadline::NEVER)
        .map_err(|error| Error::os("wait for the fork server", error))?;
    Ok(ready.contains(&1))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether a child has closed its end.
fn is_gone(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET))
}
