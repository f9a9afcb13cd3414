//! Blocks on their way in a message.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use super::{arena::Arena, block::Block, holders};
use crate::{
    error::{Error, Result},
    sys::memfd,
};

/// A message is a holder too: an open file of the arena that travels with it. Once it has been received, what it has belongs to
/// the receiver; if it never is, the kernel closes the file, and what it had is taken back.
#[derive(Debug)]
pub(crate) struct Transit {
    arena: Arc<Arena>,
    holder: u32,
}

impl Transit {
    /// Makes one for blocks of the same arena as `block`; the descriptor goes into the message.
    pub(crate) fn new(block: &Block) -> Result<(Self, OwnedFd)> {
        let arena = Arc::clone(block.arena());
        let file = memfd::reopen(arena.file())
            .map_err(|error| Error::os("open shared memory through /proc/self/fd", error))?;
        let holder = holders::claim(&arena.lock()?, file.as_fd(), holders::MESSAGE)?;
        Ok((Self { arena, holder }, file))
    }

    /// Whether `block` can go with it.
    pub(crate) fn takes(&self, block: &Block) -> bool {
        Arc::ptr_eq(&self.arena, block.arena())
    }

    /// Puts `block` in. Returns by what the receiver [adopts](Block::adopt) it.
    pub(crate) fn add(&self, block: &Block) -> Result<(u32, u32)> {
        let record = self.arena.lock()?.add_record(block.at(), self.holder)?;
        Ok((block.at(), record))
    }
}
