//! Blocks with a type: the one place where bytes of an arena become structs.

use std::{fmt, marker::PhantomData, ops::Deref, ptr::NonNull};

use super::{
    arena::{Arena, damaged},
    block::Block,
    layout::{BlockHeader, GRANULE},
};
use crate::{
    error::{Error, Result},
    shm::layouts::{KINDS, kind_of},
    sys::robust_mutex::RobustMutex,
};

/// What can lie in a block.
///
/// # Safety
///
/// `repr(C)`, made of nothing but atomics and [`RobustMutex`]es, aligned to at most 16 bytes; zeros are a good beginning, and any
/// bytes at all do no harm. Its mutexes are where [`KINDS`] says.
pub(crate) unsafe trait Part {
    /// Its name, by which others know what they have got.
    const NAME: &'static str;
}

/// A block that holds a `P`, and behind it as many bytes as were asked for.
pub(crate) struct Shared<P>(Block, PhantomData<P>);

impl<P: Part> Shared<P> {
    /// A new one in this process's own arena, all zeros.
    pub(crate) fn new(behind: usize) -> Result<Self> {
        let Some(length) = size_of::<P>().checked_add(behind) else { return Err(damaged()) };
        Ok(Self(Block::new(kind_of(P::NAME), length)?, PhantomData))
    }

    /// The block that came, if it holds a `P`.
    pub(crate) fn from_block(block: Block) -> Result<Self> {
        if block.kind()? != kind_of(P::NAME) || block.length() < size_of::<P>() {
            return Err(Error::decode(format!("the handle that came is none of a {}", P::NAME)));
        }
        Ok(Self(block, PhantomData))
    }

    pub(crate) fn block(&self) -> &Block {
        &self.0
    }

    /// How many bytes there are behind the `P`.
    #[inline]
    pub(crate) fn behind(&self) -> usize {
        self.0.length() - size_of::<P>()
    }

    /// Where the bytes behind the `P` begin: 8 bytes' alignment at least.
    #[inline]
    pub(in crate::shm) fn behind_address(&self) -> NonNull<u8> {
        // SAFETY: the block is at least as long as a `P`: `from_block` looked, `new` made it so.
        unsafe { self.0.content().add(size_of::<P>()) }
    }
}

impl<P: Part> Deref for Shared<P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        // SAFETY: long enough, as above, aligned to 16 bytes, mapped as long as the block lives; `Part` says that any bytes do.
        unsafe { self.0.content().cast().as_ref() }
    }
}

impl<P: Part> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The locks in a block of this kind, whose content begins at `content` and has `length` bytes at least. The kind stands in memory
/// that others can write, so it may be one that has more of them than the block has room for.
pub(super) fn mutexes_of<'a>(content: NonNull<u8>, length: usize, kind: u32) -> impl Iterator<Item = &'a RobustMutex> {
    let (_, count, apart) = KINDS.get((kind as usize).wrapping_sub(1)).copied().unwrap_or_default();
    let offsets = (0..count).map(move |index| index * apart);
    offsets.take_while(move |offset| offset + size_of::<RobustMutex>() <= length).map(move |offset| {
        // SAFETY: the content is long enough for one there.
        let mutex = unsafe { content.byte_add(offset) }.cast::<RobustMutex>();
        // SAFETY: mapped, aligned, and made of atomics: callers have the block, or the arena's lock.
        unsafe { mutex.as_ref() }
    })
}

/// Whether a living thread holds a lock in the block at `at`, a cell of `cell` bytes.
pub(super) fn held_in(arena: &Arena, kind: u32, at: u32, cell: usize) -> Result<bool> {
    let content = arena.address(at as usize * GRANULE + size_of::<BlockHeader>())?;
    Ok(mutexes_of(content, cell - size_of::<BlockHeader>(), kind).any(RobustMutex::is_held))
}
