//! What waits before the threads of a pool, and how much of it there is.

use std::{
    collections::VecDeque,
    mem,
    time::{Duration, Instant},
};

use crate::pool::Work;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Open,
    Closed,
    Terminated,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) phase: Phase,
    pending: VecDeque<Work>,
    /// To be tried again, and when.
    pub(super) later: Vec<(Instant, Work)>,
    pub(super) running: usize,
    /// Threads that wait for work, and those that wait for room: a wake-up is a system call even when nobody is there.
    pub(super) idle: usize,
    pub(super) crowd: usize,
    /// Of all that is not settled: items and bytes.
    pub(super) held: (usize, usize),
}

impl Queue {
    pub(super) fn is_full(&self, (items, bytes): (usize, usize)) -> bool {
        self.held.0 >= items || self.held.1 >= bytes
    }

    /// Whether nothing will be to be done any more.
    pub(super) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closed => self.pending.is_empty() && self.later.is_empty() && self.running == 0,
            Phase::Terminated => true,
        }
    }

    pub(super) fn push(&mut self, work: Work) {
        if !work.is_empty() {
            let (items, bytes) = self.held;
            self.held = (items + work.len(), bytes + work.bytes());
            self.pending.push_back(work);
        }
    }

    /// The next item, which is being run from now on.
    pub(super) fn pop(&mut self) -> Option<Work> {
        let work = self.pending.front_mut()?;
        let one = work.split_off(1);
        if work.is_empty() {
            self.pending.pop_front();
        }
        self.running += 1;
        Some(one)
    }

    /// An item that was being run is not held any more.
    pub(super) fn release(&mut self, one: &Work) {
        self.running -= 1;
        self.forget(one);
    }

    fn forget(&mut self, work: &Work) {
        let (items, bytes) = self.held;
        self.held = (items - work.len(), bytes - work.bytes());
    }

    pub(super) fn take_cancelled(&mut self) -> Vec<Work> {
        match self.pending.front() {
            Some(work) if work.is_cancelled() => self.take_out(Work::is_cancelled),
            _ => Vec::new(),
        }
    }

    /// Takes out some of what is not begun; to be dropped without the lock, as that settles it.
    pub(super) fn take_out(&mut self, is_meant: impl Fn(&Work) -> bool) -> Vec<Work> {
        let mut out = Vec::new();
        for work in mem::take(&mut self.pending) {
            if is_meant(&work) {
                out.push(work);
            } else {
                self.pending.push_back(work);
            }
        }
        out.extend(self.later.extract_if(.., |(_, work)| is_meant(work)).map(|(_, work)| work));
        out.iter().for_each(|work| self.forget(work));
        out
    }

    /// What is to be tried again now comes before all others.
    pub(super) fn fetch_due(&mut self) {
        if !self.later.is_empty() {
            let now = Instant::now();
            for (_, work) in self.later.extract_if(.., |(at, _)| *at <= now) {
                self.pending.push_front(work);
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        let at = self.later.iter().map(|(at, _)| *at).min()?;
        Some(at.saturating_duration_since(Instant::now()))
    }
}
