//! What is in use, for tests.

use std::sync::atomic::Ordering::Relaxed;

use super::{arena::Arena, holders};
use crate::error::Result;

/// How many blocks, records and holders this process's own arena has once what the dead had is taken back.
pub fn shared_census() -> Result<(usize, usize, u32)> {
    let arena = Arena::own()?;
    holders::sweep(&arena.lock()?)?;
    census(&arena)
}

/// How many blocks, records and holders there are.
pub(super) fn census(arena: &Arena) -> Result<(usize, usize, u32)> {
    let heap = arena.lock()?;
    let (mut blocks, mut records) = (0, 0);
    for at in heap.cells_of_blocks()? {
        blocks += usize::from(heap.block(at)?.kind.load(Relaxed) != 0);
    }
    for at in heap.cells_of_records()? {
        records += usize::from(heap.record(at)?.word.load(Relaxed) != 0);
    }
    Ok((blocks, records, arena.header()?.holders.load(Relaxed)))
}
