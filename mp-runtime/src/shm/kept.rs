//! Mappings of lent memory that stay when nobody uses them, because the same memory will come again.
//!
//! A mapping costs as much to make and to fill, page by page, as a third of a look at what is in it. It also keeps the memory,
//! so this is for those who ask for it, and only as long as they do.

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::sys::stat::fstat;

use super::pages::{Access, Pages};

/// Which memory it is. While a mapping of it is kept, no other memory of this machine has these numbers.
type Identity = (u64, u64);

struct Kept {
    room: usize,
    /// Used last is last.
    mappings: VecDeque<(Identity, Arc<Pages>)>,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { room: 0, mappings: VecDeque::new() });

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as it lives, so many more mappings stay.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(mappings: usize) -> Self {
        let mut kept = kept();
        let added = mappings.min(usize::MAX - kept.room);
        kept.room += added;
        Self(added)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut kept = kept();
        kept.room -= self.0;
        let surplus = kept.shrink();
        drop(kept);
        drop(surplus);
    }
}

impl Kept {
    /// What there is no room for, the longest unused first; dropped by who has let go of the lock.
    fn shrink(&mut self) -> Vec<(Identity, Arc<Pages>)> {
        let surplus = self.mappings.len().saturating_sub(self.room);
        self.mappings.drain(..surplus).collect()
    }
}

/// A mapping to read of all of a memfd that has been checked to have `length` bytes: a kept one, or a new one.
pub(super) fn map(memfd: impl AsFd, length: usize) -> io::Result<Arc<Pages>> {
    let map = || Pages::map(&memfd, Access::Read, 0, length);
    if kept().room == 0 {
        return Ok(map()?.into());
    }
    let status = fstat(&memfd)?;
    let identity = (status.st_dev, status.st_ino);
    let mut kept = kept();
    let place = kept.mappings.iter().position(|(other, pages)| *other == identity && pages.length() == length);
    let pages = match place.and_then(|place| kept.mappings.remove(place)) {
        Some((_, pages)) => pages,
        None => Arc::new(map()?),
    };
    kept.mappings.push_back((identity, Arc::clone(&pages)));
    let surplus = kept.shrink();
    drop(kept);
    drop(surplus);
    Ok(pages)
}
