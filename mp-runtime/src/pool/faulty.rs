//! An executor whose tasks fail as a test wants it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use super::{Executor, Fault, Rejected, Tasks, Work, front::typed_methods, options::TaskOptions};

/// Any [`Executor`], with faults at chosen tasks: to test what a program does when workers die, without programs that kill them at the right moment.
///
/// Tasks are counted from 0, in the order in which they are handed over; each item of a map is one. A fault strikes the first attempt of a task, so
/// that a [`Retry`](crate::Retry) can be seen to help. In the processes of a [`Pool`](crate::Pool) a killed worker really is: SIGKILL, as it
/// begins with the task. Where there is no process to be killed ([`ThreadPool`](crate::ThreadPool), [`Inline`](crate::Inline)) the task ends as
/// if there had been one. Executors of others know nothing of faults, and have none.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Faulty::new(mp::Pool::builder().workers(2).build()?).kill_at(2);
/// let results: Vec<_> = pool.imap(square, 0..5).collect();
/// assert!(matches!(results[2], Err(mp::TaskError::Killed(_))));
/// assert_eq!(results.iter().flatten().sum::<u64>(), 0 + 1 + 9 + 16);
///
/// let pool = mp::Faulty::new(mp::Pool::builder().workers(2).retries(1).build()?).every(2, mp::Fault::Kill);
/// assert_eq!(pool.map(square, 0..5)?, [0, 1, 4, 9, 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty<E> {
    executor: E,
    faults: Vec<(When, Fault)>,
    /// The number of the next task.
    next: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum When {
    At(u64),
    Every(u64),
}

impl<E: Executor> Faulty<E> {
    /// One without faults, as yet.
    #[must_use]
    pub fn new(executor: E) -> Self {
        Self { executor, faults: Vec::new(), next: AtomicU64::new(0) }
    }

    /// Has the worker killed that begins with task `number`.
    #[must_use]
    pub fn kill_at(self, number: u64) -> Self {
        self.has(When::At(number), Fault::Kill)
    }

    /// Has the worker sleep for so long before it runs task `number`.
    #[must_use]
    pub fn delay_at(self, number: u64, time: Duration) -> Self {
        self.has(When::At(number), Fault::Delay(time))
    }

    /// Has the arguments of task `number` not decode: it is [`Refused`](crate::TaskError::Refused).
    #[must_use]
    pub fn undecodable_at(self, number: u64) -> Self {
        self.has(When::At(number), Fault::Undecodable)
    }

    /// Has this happen to the last of each `count` tasks; never, if that is 0.
    #[must_use]
    pub fn every(self, count: u64, fault: Fault) -> Self {
        self.has(When::Every(count), fault)
    }

    fn has(mut self, when: When, fault: Fault) -> Self {
        self.faults.push((when, fault));
        self
    }

    /// The same, with other options for the tasks that are given to it so.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// let here = mp::Faulty::new(mp::Inline::new()).kill_at(0);
    /// assert_eq!(here.with(mp::TaskOptions::new().retries(1)).call(square, (5,))?, 25);
    /// # Ok::<(), mp::TaskError>(())
    /// ```
    #[must_use]
    pub fn with(&self, options: TaskOptions) -> Tasks<'_, Self> {
        Tasks::on(self).with(options)
    }

    /// What it was made of.
    pub fn executor(&self) -> &E {
        &self.executor
    }

    /// What happens to the task of that number; what was said first counts.
    fn fault(&self, number: u64) -> Option<Fault> {
        let is_meant = |when| match when {
            When::At(at) => at == number,
            When::Every(count) => number.checked_rem(count).is_some_and(|rest| rest + 1 == count),
        };
        self.faults.iter().find(|(when, _)| is_meant(*when)).map(|(_, fault)| *fault)
    }

    fn hand_over(&self, work: Work, execute: impl FnOnce(&E, Work) -> Result<(), Rejected>) -> Result<(), Rejected> {
        let count = work.len() as u64;
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        for (number, item) in (first..).zip(work.items.clone()) {
            if let Some(fault) = self.fault(number) {
                work.order.has_fault(item, fault);
            }
        }
        let result = execute(&self.executor, work);
        if matches!(result, Err(Rejected::Full(_))) {
            // It was not taken over, and does not count, unless another one was counted meanwhile.
            self.next.compare_exchange(first + count, first, Ordering::Relaxed, Ordering::Relaxed).ok();
        }
        result
    }
}

typed_methods!(@ (impl<E: Executor>) Faulty<E>, E::State);

impl<E: Executor> Executor for Faulty<E> {
    type State = E::State;

    fn execute(&self, work: Work) -> Result<(), Rejected> {
        self.hand_over(work, E::execute)
    }

    fn execute_when_there_is_room(&self, work: Work) -> Result<(), Rejected> {
        self.hand_over(work, E::execute_when_there_is_room)
    }

    fn width(&self) -> usize {
        self.executor.width()
    }

    fn options(&self) -> Arc<TaskOptions> {
        self.executor.options()
    }
}
