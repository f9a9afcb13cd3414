//! The descriptors of items: each item's wait in one message on a socket, under a ticket that only it has.

use std::{io, os::fd::BorrowedFd};

use super::{bell::is_gone, stop::Stop};
use crate::{
    error::{Error, Result},
    sys::{
        fcntl,
        recvmsg::{self, Arrived},
        socket::{self, Wait, would_block},
    },
};

/// Why descriptors did not go.
#[derive(Debug)]
pub(super) enum Refused {
    /// There are too many in the queue, or of this user's in all.
    Full,
    /// Nobody can receive them any more.
    Gone,
    Failed(Error),
}

/// Sends descriptors. If the item is never put, nobody asks for them, and they go with the next ones that are asked for.
pub(super) fn send(lane: BorrowedFd<'_>, ticket: u64, fds: &[BorrowedFd<'_>]) -> Result<(), Refused> {
    socket::send_with(lane, &ticket.to_ne_bytes(), fds, Wait::No).map_err(|error| {
        let is_full = would_block(&error) || error.raw_os_error() == Some(nix::libc::ETOOMANYREFS);
        if is_gone(&error) {
            Refused::Gone
        } else if is_full {
            Refused::Full
        } else {
            Refused::Failed(Error::os("put the descriptors of an item", error))
        }
    })
}

/// Copies of the `count` descriptors under `ticket`, which stay there; those of others before it are nobody's. With the lock of those who get.
pub(super) fn look(lane: BorrowedFd<'_>, ticket: u64, count: usize) -> Result<Vec<Arrived>, Stop> {
    loop {
        match look_at(lane, ticket, count)? {
            Some(fds) => return Ok(fds),
            None => remove(lane)?,
        }
    }
}

/// Copies of the `count` descriptors under `ticket`, which stay there, as do those of others before it. With the lock of those who get.
pub(super) fn find(lane: BorrowedFd<'_>, ticket: u64, count: usize) -> Result<Vec<Arrived>, Stop> {
    for skipped in (0..).step_by(size_of::<u64>()) {
        match recvmsg::peek_behind(lane, skipped).map_err(failed)?.map(u64::from_ne_bytes) {
            None => break,
            Some(found) if found == ticket => return look_at(lane, ticket, count)?.ok_or_else(lost),
            Some(_) => {}
        }
    }
    Err(lost())
}

/// Takes the first messages away that nobody needs any more. With the lock of those who get.
pub(super) fn clean(lane: BorrowedFd<'_>, is_needed: impl Fn(u64) -> bool) -> Result<(), Stop> {
    while let Some(first) = recvmsg::peek_behind(lane, 0).map_err(failed)?.map(u64::from_ne_bytes)
        && !is_needed(first)
    {
        remove(lane)?;
    }
    Ok(())
}

/// None: the first ones are another's.
fn look_at(lane: BorrowedFd<'_>, ticket: u64, count: usize) -> Result<Option<Vec<Arrived>>, Stop> {
    let mut fds = Vec::new();
    let seen = loop {
        match recvmsg::peek_with(lane, &mut fds) {
            Ok(seen) if seen.length == 0 => return Err(lost()),
            Ok(seen) => break seen,
            Err(error) if would_block(&error) => return Err(lost()),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    };
    if u64::from_ne_bytes(seen.head) != ticket || seen.length != size_of::<u64>() {
        Ok(None)
    } else if !seen.fds_would_be_lost {
        Ok(Some(fds))
    } else if fcntl::may_have_later(lane, count).map_err(failed)? {
        Err(failed(io::Error::from_raw_os_error(nix::libc::EMFILE)))
    } else {
        Err(Stop::Item(Error::decode("it has more descriptors than this process may have")))
    }
}

/// Takes the first message away.
pub(super) fn remove(lane: BorrowedFd<'_>) -> Result<(), Stop> {
    let mut head = Vec::with_capacity(size_of::<u64>());
    match recvmsg::recv(lane, &mut head, &mut Vec::new(), Wait::No) {
        Err(error) if !would_block(&error) => Err(failed(error)),
        _ => Ok(()),
    }
}

fn failed(error: io::Error) -> Stop {
    Stop::Failed(Error::os("get the descriptors of an item", error))
}

/// Somebody has taken them out who is none of the queue's users.
fn lost() -> Stop {
    Stop::Item(Error::protocol("its descriptors are gone"))
}
