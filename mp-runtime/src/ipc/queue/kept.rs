//! The descriptors of items that are taken out and not done: copies of them wait here for the case that their holder dies.
//!
//! A socket gives its messages out in their order only. So whoever looks for one sends each that he passes once more, before he takes
//! it away: who dies in between leaves it there twice. What is no item's any more goes when somebody comes by. All with the lock of those
//! who get.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{
    lane::{self, Refused},
    stop::Stop,
};
use crate::{
    error::{Error, Result},
    sys::{
        recvmsg::{self, Arrived},
        socket::would_block,
    },
};

/// No ticket is that large.
const MARK: u64 = 1 << 63;

/// Both ends of the socket.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) to: OwnedFd,
    pub(super) from: OwnedFd,
}

impl Kept {
    /// Keeps copies of descriptors. False: there is no room for them now.
    pub(super) fn add(&self, ticket: u64, fds: &[Arrived]) -> Result<bool, Stop> {
        let fds: Vec<_> = fds.iter().filter_map(Arrived::as_fd).collect();
        self.send(ticket, &fds)
    }

    /// Copies of the `count` descriptors under `ticket`, which stay here. `mark` was not used before.
    pub(super) fn find(&self, ticket: u64, count: usize, mark: u64) -> Result<Vec<Arrived>, Stop> {
        self.turn_round(mark, |_| true, |seen| seen == ticket)?;
        lane::look_at_first(self.from.as_fd(), ticket, count)
    }

    /// Drops all that no item has any more. `mark` was not used before.
    pub(super) fn clean(&self, mark: u64, is_some_items: impl Fn(u64) -> bool) -> Result<(), Stop> {
        self.turn_round(mark, is_some_items, |_| false)
    }

    /// Passes all messages once, or up to the first that is wanted, and drops those that need not be kept.
    fn turn_round(
        &self,
        mark: u64,
        is_kept: impl Fn(u64) -> bool,
        is_wanted: impl Fn(u64) -> bool,
    ) -> Result<(), Stop> {
        let mark = MARK | mark;
        if !self.send(mark, &[])? {
            return Ok(());
        }
        loop {
            let mut fds = Vec::new();
            let seen = match recvmsg::peek_with(&self.from, &mut fds) {
                Ok(seen) => u64::from_ne_bytes(seen.head),
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(Error::os("look for the descriptors of an item", error).into()),
            };
            if is_wanted(seen) {
                return Ok(());
            }
            let is_kept = seen & MARK == 0 && is_kept(seen);
            if is_kept && !self.add(seen, &fds)? {
                // It stays the first.
                return Ok(());
            }
            lane::remove(self.from.as_fd())?;
            if seen == mark {
                return Ok(());
            }
        }
    }

    fn send(&self, ticket: u64, fds: &[BorrowedFd<'_>]) -> Result<bool, Stop> {
        match lane::send(self.to.as_fd(), ticket, fds) {
            Ok(()) => Ok(true),
            // This side has both ends of it.
            Err(Refused::Full | Refused::Gone) => Ok(false),
            Err(Refused::Failed(error)) => Err(error.into()),
        }
    }
}
