//! Bytes that belong to a part: behind it in the arena, or, where they are too many for that, in a memfd of their own.

use std::{
    fmt, io,
    ops::Deref,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
};

use super::{
    arena::{Block, MAX_BLOCK, Part, Shared},
    pages::{Access, Pages},
};
use crate::{
    error::{Error, Result},
    sys::{
        fallocate,
        memfd::{self, Fixed},
        recvmsg::Arrived,
    },
};

/// A part and its bytes.
pub(crate) struct Extent<P> {
    part: Shared<P>,
    large: Option<Large>,
}

/// A memfd that is mapped as a whole, of a size that nobody can change.
#[derive(Debug)]
struct Large {
    pages: Pages,
    memfd: OwnedFd,
}

impl<P: Part> Extent<P> {
    /// A new one, all zeros.
    pub(crate) fn new(bytes: usize) -> Result<Self> {
        if bytes <= MAX_BLOCK - size_of::<P>() {
            return Ok(Self { part: Shared::new(bytes)?, large: None });
        }
        let large =
            Large::new(bytes).map_err(|error| Error::os(format!("get {bytes} bytes of shared memory"), error))?;
        Ok(Self { part: Shared::new(0)?, large: Some(large) })
    }

    /// The one that came, if it is of a `P`.
    pub(crate) fn received(block: Block, memfd: Option<Arrived>) -> Result<Self> {
        let part = Shared::from_block(block)?;
        let large = match memfd {
            Some(memfd) => Some(Large::received(memfd).map_err(|error| Error::os("map the memory that came", error))?),
            None => None,
        };
        Ok(Self { part, large })
    }

    /// What goes into a message.
    pub(crate) fn descriptors(&self) -> (&Block, Option<BorrowedFd<'_>>) {
        (self.part.block(), self.large.as_ref().map(|large| large.memfd.as_fd()))
    }

    /// How many bytes there are.
    #[inline]
    pub(crate) fn bytes(&self) -> usize {
        self.large.as_ref().map_or_else(|| self.part.behind(), |large| large.pages.length())
    }

    /// Where they begin: aligned to eight bytes at least, and mapped as long as `self` lives.
    #[inline]
    pub(super) fn address(&self) -> NonNull<u8> {
        self.large.as_ref().map_or_else(|| self.part.behind_address(), |large| large.pages.start())
    }
}

impl<P: Part> Deref for Extent<P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.part
    }
}

impl<P: Part> fmt::Debug for Extent<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extent").field("part", &self.part).field("bytes", &self.bytes()).finish()
    }
}

impl Large {
    fn new(bytes: usize) -> io::Result<Self> {
        let memfd = memfd::create()?;
        fallocate::allocate(&memfd, 0, bytes)?;
        memfd::fix(&memfd, Fixed::Size)?;
        Self::map(memfd, bytes)
    }

    fn received(memfd: Arrived) -> io::Result<Self> {
        let (memfd, bytes) = memfd::checked(memfd, Fixed::Size)?;
        Self::map(memfd, bytes)
    }

    fn map(memfd: OwnedFd, bytes: usize) -> io::Result<Self> {
        let pages = Pages::map(&memfd, Access::Share, 0, bytes)?;
        pages.advise_huge();
        Ok(Self { pages, memfd })
    }
}
