//! Memory that is written, lent to readers in any process, and written again when the last of them is done.
//!
//! The owner holds the one mapping that can write: the memfd is sealed so that no other can be made
//! ([`Fixed::ContentForOthers`]). Whoever may look into it holds a *lease*, the write end of a pipe on which nothing is ever
//! written; the owner holds the read end. The kernel counts the leases, also those in messages that nobody has received, and
//! gives them back however a process ends. A region is in one of three states:
//!
//! | state | pipe | who has a reference to its bytes |
//! |---|---|---|
//! | free | none, or hung up | nobody |
//! | on loan | one write end, in the [`Loan`] | the `Loan`'s user, `&mut` |
//! | lent | write ends in [`Lent`]s and messages | their users, `&` |
//!
//! *Free to on loan* is [`Slot::take`], *on loan to lent* consumes the `Loan`; back to *free* both go when the last write end is
//! closed, which is the last thing that a `Loan` or a `Lent` does. So there is never a `&mut` beside another reference, as long
//! as every process of the program keeps to this file. One that does not can close its lease and look on, and see the bytes
//! change; an owner that does not can change them under its readers. That is why strangers are sent
//! [`Sealed`](super::Sealed) memory.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    slice,
    sync::Arc,
};

use super::{
    kept,
    pages::{Access, Pages},
};
use crate::sys::{
    fallocate,
    memfd::{self, Fixed},
    pipe,
    poll::{self, Deadline},
    recvmsg::Arrived,
};

/// Memory, and this process's mapping of it.
#[derive(Debug)]
struct Region {
    pages: Arc<Pages>,
    memfd: OwnedFd,
}

/// A region, as its owner has it.
#[derive(Debug)]
pub(crate) struct Slot {
    region: Arc<Region>,
    /// The read end of the pipe of the last loan.
    lease: Option<OwnedFd>,
}

/// The right to write.
#[derive(Debug)]
pub(crate) struct Loan {
    region: Arc<Region>,
    /// Last, as fields are dropped in order: from then on someone else may have the right.
    lease: OwnedFd,
}

/// The right to read.
#[derive(Debug)]
pub(crate) struct Lent {
    region: Arc<Region>,
    /// As in a [`Loan`].
    lease: OwnedFd,
}

impl Slot {
    /// A free region of so many zeros.
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        let memfd = memfd::create()?;
        fallocate::allocate(&memfd, 0, length)?;
        let pages = Pages::map(&memfd, Access::Write, 0, length)?.into();
        memfd::fix(&memfd, Fixed::ContentForOthers)?;
        Ok(Self { region: Arc::new(Region { pages, memfd }), lease: None })
    }

    /// `None`: it is on loan, or lent.
    pub(crate) fn take(&mut self) -> io::Result<Option<Loan>> {
        if let Some(lease) = self.lease()
            && !poll::any_hung_up(&[lease], Deadline::NOW)?
        {
            return Ok(None);
        }
        let (ours, lease) = pipe::create()?;
        self.lease = Some(ours);
        Ok(Some(Loan { region: Arc::clone(&self.region), lease }))
    }

    /// Hung up when the region is free again. `None`: it has never been anything else.
    pub(crate) fn lease(&self) -> Option<BorrowedFd<'_>> {
        self.lease.as_ref().map(AsFd::as_fd)
    }
}

impl Region {
    fn start(&self) -> *mut u8 {
        self.pages.start().as_ptr()
    }
}

impl Loan {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, readable, as long as said, with memory under it, as it was allocated; the seals keep that so. Nobody
        // writes: the only right to is this `Loan`'s, and it is borrowed.
        unsafe { slice::from_raw_parts(self.region.start(), self.region.pages.length()) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, mapped to write, and the only reference, as there is one `Loan` and it is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.region.start(), self.region.pages.length()) }
    }

    pub(crate) fn lend(self) -> Lent {
        Lent { region: self.region, lease: self.lease }
    }
}

impl Lent {
    /// Of descriptors from elsewhere; the memory must be `length` bytes long.
    pub(crate) fn receive(memfd: Arrived, lease: Arrived, length: usize) -> io::Result<Self> {
        let (memfd, size) = memfd::checked(memfd, Fixed::ContentForOthers)?;
        let lease = pipe::checked(lease)?;
        if size != length {
            let why = format!("{length} bytes of lent memory are announced, and it has {size}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let pages = kept::map(&memfd, length)?;
        Ok(Self { region: Arc::new(Region { pages, memfd }), lease })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped, readable, as long as said, with memory under it: checked when it was made or received, and the seals
        // keep that so. While the lease is open the owner writes nothing, and nobody else can.
        unsafe { slice::from_raw_parts(self.region.start(), self.region.pages.length()) }
    }

    /// The memory and the lease, to be sent.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.region.memfd.as_fd(), self.lease.as_fd()]
    }
}
