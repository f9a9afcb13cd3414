//! `futex(2)` for loom, in place of `sys/futex.rs`. No time runs out here and no signal comes: a wake-up that is lost is a deadlock,
//! which loom finds.

use std::{
    io, ptr,
    sync::atomic::Ordering::{Relaxed, SeqCst},
    time::Duration,
};

use loom::sync::{Condvar, Mutex, MutexGuard, atomic::fence};

use super::atomic::AtomicU32;

/// As in the kernel, with its lock: who sleeps on what.
#[derive(Default)]
struct Sleepers {
    /// Each with the address of its word and a number of its own, longest first.
    list: Vec<(usize, u32)>,
    next: u32,
}

loom::lazy_static! {
    static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers::default());
    static ref CHANGED: Condvar = Condvar::new();
}

fn sleepers() -> MutexGuard<'static, Sleepers> {
    SLEEPERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _: Option<Duration>) -> bool {
    let mut sleepers = sleepers();
    // The kernel has one here, and in `wake` too.
    fence(SeqCst);
    if word.load(Relaxed) != expected {
        return false;
    }
    let own = (ptr::from_ref(word).addr(), sleepers.next);
    sleepers.next += 1;
    sleepers.list.push(own);
    while sleepers.list.contains(&own) {
        sleepers = CHANGED.wait(sleepers).unwrap_or_else(std::sync::PoisonError::into_inner);
    }
    true
}

pub(crate) fn wake(word: &AtomicU32, most: u32) -> u32 {
    wake_at(word, most)
}

pub(super) fn wake_at(word: *const AtomicU32, most: u32) -> u32 {
    fence(SeqCst);
    let mut sleepers = sleepers();
    let mut woken = 0;
    sleepers.list.retain(|(address, _)| {
        let wakes = *address == word.addr() && woken < most;
        woken += u32::from(wakes);
        !wakes
    });
    CHANGED.notify_all();
    woken
}

pub(crate) fn check() -> io::Result<()> {
    Ok(())
}
