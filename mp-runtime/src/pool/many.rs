//! Waits for many tasks, of one executor or of several.

use std::{
    collections::VecDeque,
    fmt,
    iter::FusedIterator,
    sync::{Arc, Weak},
    time::Duration,
};

use super::{
    Task,
    order::{Drive, Order},
    task,
    watch::Watcher,
};
use crate::sys::poll::Deadline;

/// Waits until one of some tasks has a result, but not longer than `timeout` (`None`: as long as it takes). Returns which one, the first in their
/// order where several have; `None` if the time is over, or there are no tasks.
///
/// The tasks may be of different executors. Nobody waits for ever: whatever becomes of a worker or an executor settles its tasks.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use multiprocess as mp;
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// #[mp::process_target]
/// fn forever() -> u64 {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let (long, short) = (pool.submit(forever, ())?, pool.submit(square, (3,))?);
/// assert_eq!(mp::wait_any(&[&long, &short], None), Some(1));
/// assert_eq!(mp::wait_any(&[&long], Some(Duration::from_millis(1))), None);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn wait_any<T>(tasks: &[&Task<T>], timeout: Option<Duration>) -> Option<usize> {
    let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
    let first = || tasks.iter().position(|task| task.is_ready());
    if tasks.is_empty() || deadline.is_now() {
        return first();
    }
    if let Some(first) = first() {
        return Some(first);
    }
    let watcher = Watcher::new();
    for (number, task) in (0..).zip(tasks) {
        task.order().watch.by_thread(&watcher, number);
    }
    let driver = Driver::of(tasks.iter().map(|task| &**task.order()));
    // What was settled before it was watched is seen by this look; what is settled after it has told the watcher.
    let ready = loop {
        match first() {
            None if !deadline.is_over() => {}
            done => break done,
        }
        driver.drive(&watcher, deadline);
        watcher.was_told();
    };
    tasks.iter().for_each(|task| task.order().watch.without(&watcher));
    ready
}

/// Waits until all of some tasks have a result, but not longer than `timeout` (`None`: as long as it takes). Returns whether they have.
///
/// The tasks may be of different executors.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let tasks = (1..4).map(|x| pool.submit(square, (x,))).collect::<mp::Result<Vec<_>>>()?;
/// assert!(mp::wait_all(&tasks.iter().collect::<Vec<_>>(), None));
/// assert!(tasks.iter().all(mp::Task::is_ready));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn wait_all<T>(tasks: &[&Task<T>], timeout: Option<Duration>) -> bool {
    let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
    tasks.iter().all(|task| task::wait(task.order(), deadline))
}

/// The tasks as they get ready: an iterator that waits for the next one. Python's `as_completed`.
///
/// It owns them; one that is dropped early leaves the rest running, as a dropped [`Task`] does. The tasks may be of different executors.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let tasks = (1..4).map(|x| pool.submit(square, (x,))).collect::<mp::Result<Vec<_>>>()?;
/// let mut sum = 0;
/// for task in mp::as_completed(tasks) {
///     sum += task.join()?; // does not wait
/// }
/// assert_eq!(sum, 14);
/// # Ok(())
/// # }
/// ```
pub fn as_completed<T>(tasks: impl IntoIterator<Item = Task<T>>) -> AsCompleted<T> {
    let watcher = Watcher::new();
    let tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    let mut ready = VecDeque::new();
    for (number, task) in (0..).zip(tasks.iter().flatten()) {
        task.order().watch.by_thread(&watcher, number);
        // Before it was watched, maybe.
        if task.is_ready() {
            ready.push_back(number);
        }
    }
    let driver = Driver::of(tasks.iter().flatten().map(|task| &**task.order()));
    AsCompleted { left: tasks.len(), tasks, ready, news: Vec::new(), watcher, driver }
}

/// Tasks as they get ready: what [`as_completed`] returns.
///
/// # Examples
///
/// See [`as_completed`].
#[must_use = "it does nothing unless iterated over"]
pub struct AsCompleted<T> {
    /// By their numbers, until they are handed out.
    tasks: Vec<Option<Task<T>>>,
    left: usize,
    /// Some of them maybe more than once.
    ready: VecDeque<u64>,
    news: Vec<u64>,
    watcher: Arc<Watcher>,
    driver: Driver,
}

impl<T> AsCompleted<T> {
    /// The next task if there is one by then: `Ok(None)` if there will be none any more.
    ///
    /// # Errors
    ///
    /// The time is over ([`Error::is_timed_out`](crate::Error::is_timed_out)), and tasks are left.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn forever() { loop { std::thread::park(); } }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let mut tasks = mp::as_completed([pool.submit(forever, ())?]);
    /// assert!(tasks.next_timeout(Duration::from_millis(1)).unwrap_err().is_timed_out());
    /// pool.terminate();
    /// assert!(tasks.next_timeout(Duration::MAX)?.unwrap().join().unwrap_err().is_cancelled());
    /// assert!(tasks.next_timeout(Duration::MAX)?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_timeout(&mut self, timeout: Duration) -> crate::Result<Option<Task<T>>> {
        match self.next_by(Deadline::after(timeout)) {
            None if self.left > 0 => {
                let left = self.left;
                Err(crate::Error::timed_out(format!("none of the {left} tasks that are left was ready in time")))
            }
            task => Ok(task),
        }
    }

    fn next_by(&mut self, deadline: Deadline) -> Option<Task<T>> {
        while self.left > 0 {
            if let Some(task) = self.take_ready() {
                self.left -= 1;
                task.order().watch.without(&self.watcher);
                return Some(task);
            }
            // Who is told after this finds the wait below short; of who was told before it the news are here.
            self.watcher.was_told();
            self.watcher.news(&mut self.news);
            self.ready.extend(self.news.drain(..));
            if self.ready.is_empty() {
                if deadline.is_over() {
                    return None;
                }
                self.driver.drive(&self.watcher, deadline);
            }
        }
        None
    }

    fn take_ready(&mut self) -> Option<Task<T>> {
        while let Some(number) = self.ready.pop_front() {
            let place = usize::try_from(number).ok().and_then(|number| self.tasks.get_mut(number));
            if let Some(task) = place.and_then(|place| place.take_if(|task| task.is_ready())) {
                return Some(task);
            }
        }
        None
    }
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Task<T>;

    fn next(&mut self) -> Option<Task<T>> {
        self.next_by(Deadline::NEVER)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for AsCompleted<T> {}

impl<T> FusedIterator for AsCompleted<T> {}

impl<T> Drop for AsCompleted<T> {
    fn drop(&mut self) {
        self.tasks.iter().flatten().for_each(|task| task.order().watch.without(&self.watcher));
    }
}

impl<T> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Who has something to do for all of some orders while somebody waits for them: nobody, if they are not all of one executor.
#[derive(Debug)]
struct Driver(Option<Weak<dyn Drive>>);

impl Driver {
    fn of<'o>(orders: impl Iterator<Item = &'o Order>) -> Self {
        let mut common = None;
        for driver in orders.filter(|order| !order.is_done()).map(Order::driver) {
            match (&common, driver) {
                (None, Some(driver)) => common = Some(driver),
                (Some(common), Some(driver)) if Arc::ptr_eq(common, &driver) => {}
                _ => return Self(None),
            }
        }
        Self(common.map(|driver| Arc::downgrade(&driver)))
    }

    /// Waits until the watcher is told, or until the deadline.
    fn drive(&self, watcher: &Arc<Watcher>, deadline: Deadline) {
        match self.0.as_ref().and_then(Weak::upgrade) {
            Some(driver) => driver.drive(watcher, deadline),
            None => watcher.park(deadline),
        }
    }
}
