//! The list of locks for loom, in place of `sys/robust_list.rs`: nobody dies, so it is none. All of loom's threads are one thread of the
//! system, so they have numbers of their own.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

pub(crate) const MAX_HELD: u32 = 1900;

#[derive(Debug, Default)]
pub(super) struct Entry;

loom::lazy_static! {
    /// Begins anew with each execution.
    static ref NEXT: AtomicU32 = AtomicU32::new(1);
}

loom::thread_local! {
    static TID: u32 = NEXT.fetch_add(1, Relaxed);
}

#[derive(Debug)]
pub(super) struct Place;

#[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as in the real one")]
impl Place {
    pub(super) fn of_this_thread() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) fn register(&self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as in the real one")]
pub(crate) fn tid() -> io::Result<u32> {
    Ok(TID.with(|tid| *tid))
}

pub(super) fn is_own_tid(other: u32) -> bool {
    TID.with(|tid| *tid == other)
}

pub(crate) fn pid() -> u32 {
    1
}

pub(crate) fn held() -> u32 {
    0
}

pub(super) fn begin(_word: &super::atomic::AtomicU32) {}

impl Entry {
    #[expect(clippy::unused_self, reason = "as in the real one")]
    pub(super) fn begin(&self) {}

    pub(super) fn end() {}

    #[expect(clippy::unused_self, reason = "as in the real one")]
    pub(super) fn enter(&self) {}

    #[expect(clippy::unused_self, reason = "as in the real one")]
    pub(super) fn leave(&self) {}
}
