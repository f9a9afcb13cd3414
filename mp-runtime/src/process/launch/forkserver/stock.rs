//! Children that were ordered and wait for something to do.

use std::{
    collections::VecDeque,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A child that a server was asked for. Whether there is one, its socket will tell.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) ticket: u64,
    /// Our end of its control socket.
    pub(super) control: OwnedFd,
}

/// Those of one server, in the order of their tickets.
#[derive(Debug, Default)]
pub(super) struct Stock(Mutex<VecDeque<Ordered>>);

impl Stock {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Ordered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that has waited longest.
    pub(super) fn take(&self) -> Option<Ordered> {
        self.waiting().pop_front()
    }

    /// The one that was ordered last.
    pub(super) fn take_last(&self) -> Option<Ordered> {
        self.waiting().pop_back()
    }

    /// It is the next one to be taken.
    pub(super) fn put_first(&self, ordered: Ordered) {
        self.waiting().push_front(ordered);
    }

    pub(super) fn put(&self, ordered: Ordered) {
        self.waiting().push_back(ordered);
    }

    /// Calls `look` with each, until one has it fail.
    pub(super) fn each<E>(&self, look: impl FnMut(&Ordered) -> Result<(), E>) -> Result<(), E> {
        self.waiting().iter().try_for_each(look)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }
}
