//! Who has what: processes, and messages on their way.
//!
//! A holder is an open file of the arena that has claimed one byte, far behind the content: the kernel drops the claim when
//! the last descriptor of that open file is closed, in whatever way, wherever it is. So whether a holder lives is asked of the
//! kernel, not of a process id.

use std::{
    os::fd::BorrowedFd,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{
    heap::Heap,
    layout::{Holder, MAX_HOLDERS, split},
};
use crate::{
    error::{Error, Result},
    fault,
    sys::fcntl_locking,
};

/// The byte of holder 0.
const CLAIMS: u64 = 1 << 62;
/// Who has what the dead had taken of things that others still have: never alive, and never in use.
pub(super) const THE_DEAD: u32 = MAX_HOLDERS as u32 - 1;
/// Below so many holders nobody looks for dead ones.
const FEW: u32 = 64;

/// What is using a place.
pub(super) const PROCESS: u32 = 1;
/// Its place is free as soon as it has nothing any more.
pub(super) const MESSAGE: u32 = 2;

/// Finds a free place for the open file `file`.
pub(super) fn claim(heap: &Heap<'_>, file: BorrowedFd<'_>, user: u32) -> Result<u32> {
    let header = heap.arena().header()?;
    if header.holders.load(Relaxed) >= header.sweep_at.load(Relaxed).max(FEW) {
        sweep(heap)?;
        sweep_at(heap, header.holders.load(Relaxed).saturating_mul(2))?;
    }
    let first = header.next_holder.load(Relaxed);
    for number in 0..MAX_HOLDERS as u32 {
        let number = (first.wrapping_add(number)) % MAX_HOLDERS as u32;
        let holder = heap.holder(number)?;
        if number != THE_DEAD
            && holder.used.load(Relaxed) == 0
            && fcntl_locking::try_lock(file, CLAIMS + u64::from(number)).map_err(lock_failed)?
        {
            holder.records.store(0, Relaxed);
            holder.used.store(user, Relaxed);
            fault::point_named("holder-used");
            header.holders.store(header.holders.load(Relaxed) + 1, Relaxed);
            header.next_holder.store(number + 1, Relaxed);
            return Ok(number);
        }
    }
    Err(Error::invalid(format!("more than {THE_DEAD} processes and messages have something in one shared memory")))
}

/// Looks for the dead again when there are so many holders, or all places are taken: with none left nobody would look any more.
pub(super) fn sweep_at(heap: &Heap<'_>, holders: u32) -> Result<()> {
    heap.arena().header()?.sweep_at.store(holders.min(THE_DEAD), Relaxed);
    Ok(())
}

fn lock_failed(error: std::io::Error) -> Error {
    Error::os("lock a byte of shared memory", error)
}

/// Its place is free for another as soon as the open file is closed.
pub(super) fn release(heap: &Heap<'_>, number: u32) {
    if let Ok(holder) = heap.holder(number)
        && holder.records.load(Relaxed) == 0
    {
        vacate(heap, holder);
    }
}

fn vacate(heap: &Heap<'_>, holder: &Holder) {
    if holder.used.swap(0, Relaxed) != 0
        && let Ok(header) = heap.arena().header()
    {
        header.holders.store(header.holders.load(Relaxed).saturating_sub(1), Relaxed);
    }
}

/// One record less names it.
pub(super) fn forget_one(heap: &Heap<'_>, holder: &Holder) {
    let left = holder.records.load(Relaxed).saturating_sub(1);
    holder.records.store(left, Relaxed);
    if left == 0 && holder.used.load(Relaxed) == MESSAGE {
        vacate(heap, holder);
    }
}

/// Whether the process or message is still there.
pub(super) fn is_alive(heap: &Heap<'_>, number: u32) -> Result<bool> {
    let arena = heap.arena();
    Ok(number == arena.holder()
        || fcntl_locking::is_locked_elsewhere(arena.file(), CLAIMS + u64::from(number)).map_err(lock_failed)?)
}

/// Takes back what the dead had. Returns how many of them there were.
pub(super) fn sweep(heap: &Heap<'_>) -> Result<u32> {
    let mut dead = vec![false; MAX_HOLDERS];
    let (mut found, mut seen) = (0, 0);
    let mut with_records = heap.holder(THE_DEAD)?.records.load(Relaxed) != 0;
    if let Some(last) = dead.last_mut() {
        *last = true;
    }
    let used = heap.arena().header()?.holders.load(Relaxed);
    for (number, dead) in (0..).zip(&mut dead) {
        if seen == used {
            break;
        }
        let holder = heap.holder(number)?;
        if holder.used.load(Relaxed) == 0 {
            continue;
        }
        seen += 1;
        if !is_alive(heap, number)? {
            *dead = true;
            found += 1;
            with_records |= holder.records.load(Relaxed) != 0;
        }
    }
    if with_records {
        take_back(heap, &dead)?;
    }
    for (number, _) in (0..).zip(&dead).filter(|(_, dead)| **dead) {
        release(heap, number);
    }
    Ok(found)
}

fn take_back(heap: &Heap<'_>, dead: &[bool]) -> Result<()> {
    let is_dead = |word: u64| dead.get(split(word).1 as usize) == Some(&true);
    for at in heap.cells_of_records()? {
        let record = heap.record(at)?;
        let word = record.word.load(Relaxed);
        if word == 0 || !is_dead(word) {
            continue;
        }
        // What the dead had taken of a block goes back by those who know what it is, as long as there is anyone.
        let owed = record.stake.load(Relaxed) != 0
            && heap.records_of(split(word).0)?.iter().any(|(_, other)| !is_dead(other.word.load(Relaxed)));
        if owed {
            // The place is free for another.
            heap.rewrite_record(at, THE_DEAD)?;
        } else {
            heap.remove_record(at)?;
        }
    }
    Ok(())
}

/// What those who are dead had taken of a block, each in its record.
pub(super) fn stakes_of_the_dead<'a>(heap: &Heap<'a>, block: u32) -> Result<Vec<(u32, &'a AtomicU32)>> {
    let mut found = Vec::new();
    for (at, record) in heap.records_of(block)? {
        if record.stake.load(Relaxed) != 0 && !is_alive(heap, split(record.word.load(Relaxed)).1)? {
            found.push((at, &record.stake));
        }
    }
    Ok(found)
}
