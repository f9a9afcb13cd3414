//! Who gets what: an idle worker gets the next task, and workers are kept busy for about a millisecond ahead.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::core::{Core, Pending, Worker};
use crate::{
    error::{TaskError, TaskFacts},
    pool::Work,
};

/// A worker is given tasks for so long ahead, as far as is known how long they take.
const AHEAD: Duration = Duration::from_millis(2);
/// One that runs, and one that waits.
const LEAST: usize = 2;
/// From so many tasks on a worker gets new ones when half of them are done.
const MANY: usize = 8;
const SOON: Duration = Duration::from_millis(1);
/// What would take a worker less is not worth taking from it.
const WORTH_TAKING: Duration = Duration::from_micros(100);

impl Core {
    /// Gives out what can be given out.
    pub(super) fn dispatch(&mut self) {
        let most_tasks = self.config.max_tasks_per_child;
        for worker in self.workers_mut() {
            worker.spare();
            if most_tasks.is_some_and(|most| worker.given >= most) && worker.desk.count() == 0 {
                worker.desk.finish();
            }
        }
        self.give_out();
        let sleeps = self.driver.is_some();
        for worker in self.workers_mut() {
            // Who sleeps has asked only those who had something to do by then.
            if sleeps && worker.desk.count() > 0 && !worker.desk.is_wanted() {
                worker.desk.want(1);
            }
            worker.desk.publish();
        }
        self.share();
    }

    fn give_out(&mut self) {
        let mut full = Vec::new();
        while let Some(pending) = self.pending.front() {
            if pending.work.is_cancelled() {
                self.pop();
                continue;
            }
            let number = self.targets.number(&pending.work.order.target);
            let depth = self.depth(number);
            let avoid = pending.avoid;
            let (left, most_each) = (self.pending_items, self.pending_items.div_ceil(self.slots.len().max(1)));
            let Some(index) = self.least_loaded(depth, avoid, &full) else {
                if avoid.is_none() {
                    return;
                }
                // Those behind it need not wait with it.
                self.put_off();
                continue;
            };
            let most_tasks = self.config.max_tasks_per_child;
            let (Some(worker), Some(pending)) =
                (self.slots.get_mut(index).and_then(|slot| slot.worker_mut()), self.pending.front_mut())
            else {
                return;
            };
            let mut most = (depth - worker.desk.count()).min(most_each.max(1)).min(left);
            if let Some(limit) = most_tasks {
                // None: it will be replaced.
                most = most.min(usize::try_from(limit - worker.given.min(limit)).unwrap_or(usize::MAX));
            }
            if pending.work.order.is_faulty() || pending.work.options().timeout.is_some() {
                // What may be stopped has nobody behind it.
                most = most.min(LEAST);
            }
            let first = pending.work.items.start;
            let given = worker.desk.give(&mut pending.work, most, number);
            let items = first..pending.work.items.start;
            match given {
                Ok(0) => full.push(index),
                Ok(given) => {
                    worker.given += given as u64;
                    let order = Arc::clone(&pending.work.order);
                    let is_all = pending.work.is_empty();
                    if is_all {
                        self.pending.pop_front();
                    }
                    self.count_out(&order, items);
                }
                Err(error) => {
                    let mut one = pending.work.split_off(1);
                    let order = Arc::clone(&one.order);
                    let is_all = pending.work.is_empty();
                    if is_all {
                        self.pending.pop_front();
                    }
                    self.count_out(&order, one.items.clone());
                    one.fail(|item| TaskError::Refused(TaskFacts::new(order.facts(item, 0)), error.clone()));
                }
            }
        }
    }

    /// The first one is to be tried again soon.
    fn put_off(&mut self) {
        if let Some(pending) = self.pending.pop_front() {
            self.count_out(&pending.work.order, pending.work.items.clone());
            self.later.push((Instant::now() + SOON, pending));
        }
    }

    fn pop(&mut self) {
        if let Some(pending) = self.pending.pop_front() {
            self.count_out(&pending.work.order, pending.work.items.clone());
        }
    }

    /// How many tasks of a target a worker may have.
    fn depth(&self, number: u32) -> usize {
        let pace = self.targets.pace(number);
        if pace.is_zero() {
            return LEAST;
        }
        usize::try_from(AHEAD.as_nanos() / pace.as_nanos()).unwrap_or(usize::MAX).max(LEAST)
    }

    /// The worker that has least, if that is less than `depth`, and its ring is not `full`.
    fn least_loaded(&self, depth: usize, avoid: Option<u64>, full: &[usize]) -> Option<usize> {
        // Much at a time: to wake a worker costs more than some tasks.
        let depth = if depth > MANY { depth / 2 } else { depth };
        let avoid = avoid.filter(|_| self.slots.len() > 1);
        let workers = self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.worker()?)));
        workers
            .filter(|(index, worker)| {
                worker.takes_tasks() && worker.desk.count() < depth && avoid != Some(worker.id) && !full.contains(index)
            })
            .min_by_key(|(_, worker)| worker.desk.count())
            .map(|(index, _)| index)
    }

    /// With nothing left to give out, an idle worker takes over what another one has not begun.
    fn share(&mut self) {
        if !self.pending.is_empty() || !self.workers().any(|worker| worker.takes_tasks() && worker.desk.count() == 0) {
            return;
        }
        let now = Instant::now();
        let targets = &self.targets;
        let time_left = |worker: &Worker| {
            let pace = worker.desk.front().map_or(Duration::ZERO, |piece| targets.pace(piece.number));
            let tasks = u32::try_from(worker.desk.count()).unwrap_or(u32::MAX);
            pace.saturating_mul(tasks).max(worker.desk.silent(now))
        };
        let loaded = self.slots.iter().enumerate().filter_map(|(index, slot)| Some((index, slot.worker()?)));
        let most = loaded
            .filter(|(_, worker)| worker.desk.count() >= LEAST)
            .map(|(index, worker)| (time_left(worker), index))
            .filter(|(time, _)| *time >= WORTH_TAKING)
            .max();
        let Some((_, index)) = most else { return };
        let back = match self.slots.get_mut(index).and_then(|slot| slot.worker_mut()) {
            Some(worker) => worker.take_back(),
            None => return,
        };
        if back.is_empty() {
            return;
        }
        for work in back {
            self.push_front(Pending { work, avoid: None });
        }
        self.dispatch();
    }

    /// Whether somebody is idle while somebody else has more than he has begun: to be looked at again soon.
    pub(super) fn is_uneven(&self) -> bool {
        self.workers().any(|worker| worker.takes_tasks() && worker.desk.count() == 0)
            && self.workers().any(|worker| worker.desk.count() >= LEAST)
    }
}

impl Worker {
    /// Whether it can be given tasks.
    pub(super) fn takes_tasks(&self) -> bool {
        self.ready.is_some() && self.ending.is_none() && !self.desk.is_finishing() && !self.desk.ignores_answers()
    }

    /// Whether it is at a task, of what it was [seen](Self::collect) to have.
    pub(super) fn runs(&self) -> bool {
        self.desk.begun() > 0
    }

    /// Takes back what it has not begun.
    pub(super) fn take_back(&mut self) -> Vec<Work> {
        let back = self.desk.take_back();
        self.given -= back.iter().map(|work| work.len() as u64).sum::<u64>();
        back
    }
}
