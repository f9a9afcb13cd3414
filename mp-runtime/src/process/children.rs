//! The children of this process that have not been collected yet.

use std::{
    ptr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::child::Child;
use crate::sys::poll::Deadline;

/// So many running children are looked at by every start, in turn: children that ended without anyone asking
/// do not pile up as zombies, and a start among thousands does not slow down.
const SWEPT_BY_A_START: usize = 8;

struct Table {
    /// In the order of their starts.
    children: Vec<Arc<Child>>,
    next_swept: usize,
}

static TABLE: Mutex<Table> = Mutex::new(Table { children: Vec::new(), next_swept: 0 });

fn table() -> MutexGuard<'static, Table> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(child: Arc<Child>) {
    table().children.push(child);
}

/// It has been collected, or nobody wants to hear of it any more.
pub(super) fn forget(child: &Child) {
    table().children.retain(|other| !ptr::eq(Arc::as_ptr(other), child));
}

/// Before the process is copied: they are not the copies', and end with the original.
pub(super) fn forget_all() {
    let mut table = table();
    table.children.clear();
    table.next_swept = 0;
}

/// Those that are still running; the others are collected on the way.
pub(super) fn active() -> Vec<Arc<Child>> {
    let all = table().children.clone();
    all.into_iter().filter(|child| !has_ended(child)).collect()
}

/// Collects what has ended among a few.
pub(super) fn sweep_some() {
    let some: Vec<_> = {
        let mut table = table();
        let first = table.next_swept;
        let some: Vec<_> = table.children.iter().skip(first).take(SWEPT_BY_A_START).cloned().collect();
        table.next_swept = if some.len() < SWEPT_BY_A_START { 0 } else { first + SWEPT_BY_A_START };
        some
    };
    for child in &some {
        has_ended(child);
    }
}

/// A wait that the system refuses says nothing about the child: it counts as running.
fn has_ended(child: &Child) -> bool {
    matches!(child.wait(Deadline::after(Duration::ZERO)), Ok(Some(_)))
}
