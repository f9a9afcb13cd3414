//! An executor that remembers what it was given, so that another thread can cancel it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{Executor, Rejected, Work, order::Order};
use crate::error::{Error, Result};

/// What a map has out, to be cancelled by another thread.
#[derive(Debug, Default)]
pub(super) struct Orders(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    are_cancelled: bool,
    orders: Vec<Weak<Order>>,
}

impl Orders {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn are_cancelled(&self) -> bool {
        self.known().are_cancelled
    }

    pub(super) fn cancel(&self) {
        let mut known = self.known();
        known.are_cancelled = true;
        let orders = mem::take(&mut known.orders);
        drop(known);
        let orders: Vec<_> = orders.iter().filter_map(Weak::upgrade).collect();
        Order::cancel_all(orders.iter());
    }

    /// An executor has taken it over.
    fn add(&self, order: &Arc<Order>) {
        let mut known = self.known();
        if known.are_cancelled {
            drop(known);
            order.cancel();
            return;
        }
        if known.orders.len() == known.orders.capacity() {
            known.orders.retain(|order| order.upgrade().is_some_and(|order| !order.is_done()));
        }
        known.orders.push(Arc::downgrade(order));
    }
}

fn cancelled() -> Error {
    Error::invalid("the map was cancelled: it takes no more items")
}

/// An executor that remembers what it was given.
pub(super) struct Recording<'m, S> {
    pub(super) executor: Arc<dyn Executor<State = S>>,
    pub(super) orders: &'m Orders,
}

impl<S: 'static> Recording<'_, S> {
    fn hand_over(&self, work: Work, waits: bool) -> Result<(), Rejected> {
        if self.orders.are_cancelled() {
            return Err(Rejected::Closed(work, cancelled()));
        }
        let order = Arc::clone(&work.order);
        if waits {
            self.executor.execute_when_there_is_room(work)?;
        } else {
            self.executor.execute(work)?;
        }
        self.orders.add(&order);
        Ok(())
    }
}

impl<S: 'static> Executor for Recording<'_, S> {
    type State = S;

    fn execute(&self, work: Work) -> Result<(), Rejected> {
        self.hand_over(work, false)
    }

    fn execute_when_there_is_room(&self, work: Work) -> Result<(), Rejected> {
        self.hand_over(work, true)
    }

    fn execute_many(&self, works: &mut VecDeque<Work>) -> Result<(), Rejected> {
        let orders: Vec<_> = works.iter().map(|work| Arc::clone(&work.order)).collect();
        if self.orders.are_cancelled()
            && let Some(work) = works.pop_front()
        {
            return Err(Rejected::Closed(work, cancelled()));
        }
        let taken = self.executor.execute_many(works);
        // One that was not taken over is settled by whoever has it.
        orders.iter().for_each(|order| self.orders.add(order));
        taken
    }

    fn width(&self) -> usize {
        self.executor.width()
    }
}
