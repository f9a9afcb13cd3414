//! Some items for one target, and what has become of each: shared by whoever wants the results and whoever has the work.

use std::{
    mem,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    TargetName,
    options::{Fault, TaskOptions},
    watch::{Watch, Watcher},
};
use crate::{
    codec::{HEADER, Message, Parcel, lengths},
    error::{FactsOfTask, TaskError, TaskFacts},
    sys::poll::Deadline,
};

/// Some items. Nobody has it who does not also see to it that each is settled: see [`Work`](super::Work).
#[derive(Debug)]
pub(super) struct Order {
    pub(super) target: TargetName,
    pub(super) options: Arc<TaskOptions>,
    /// Which item of the input the first one is.
    pub(super) first: u64,
    pub(super) arguments: Arguments,
    settled: Mutex<Settled>,
    /// How many are not settled yet.
    open: AtomicU32,
    cancelled: AtomicBool,
    /// Nanoseconds that workers have spent on it, as far as is known.
    busy: AtomicU64,
    /// Items to which a test wants something to happen.
    faults: Mutex<Vec<(u32, Fault)>>,
    is_faulty: AtomicBool,
    pub(super) watch: Watch,
    /// Who can see to it that something happens, by whoever waits.
    driver: OnceLock<Weak<dyn Drive>>,
}

/// What runs tasks only while somebody looks after it.
pub(super) trait Drive: Send + Sync {
    /// Waits until the watcher has been told, or until the deadline; and does meanwhile what there is to do.
    fn drive(&self, watcher: &Arc<Watcher>, deadline: Deadline);
    /// Takes back what is not settled yet of an order that has just been cancelled.
    fn cancel(&self, order: &Arc<Order>);
}

#[derive(Debug)]
pub(super) enum Arguments {
    /// One behind the other with their [lengths], behind room for a header; where each ends.
    Many(Vec<u8>, Vec<usize>),
    /// Of one item, with descriptors, or too many bytes for anything but a message of their own.
    One(Parcel),
}

impl Arguments {
    /// Of how many items they are.
    fn count(&self) -> u32 {
        match self {
            Self::Many(_, ends) => u32::try_from(ends.len()).unwrap_or(u32::MAX),
            Self::One(_) => 1,
        }
    }
}

/// What has become of the items, in the order in which it was known.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Of those that have a value, with their [lengths], behind room for a header.
    pub(super) bytes: Vec<u8>,
    pub(super) list: Vec<Settlement>,
    attempts: Vec<Attempts>,
}

#[derive(Debug)]
pub(super) enum Settlement {
    /// The next values are those of so many items, from that one on.
    Values {
        item: u32,
        count: u32,
    },
    /// Its value came in a message of its own.
    Message(u32, Box<Message>),
    Failed(u32, Box<TaskError>),
}

/// Of an item that was tried more than once, or is about to be.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    item: u32,
    made: u32,
    deaths: u32,
}

impl Order {
    pub(super) fn new(target: TargetName, options: Arc<TaskOptions>, first: u64, arguments: Arguments) -> Self {
        Self {
            target,
            options,
            first,
            open: AtomicU32::new(arguments.count()),
            arguments,
            settled: Mutex::default(),
            cancelled: AtomicBool::new(false),
            busy: AtomicU64::new(0),
            faults: Mutex::default(),
            is_faulty: AtomicBool::new(false),
            watch: Watch::default(),
            driver: OnceLock::new(),
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.arguments.count()
    }

    /// The encoded arguments of an item; `None` where descriptors belong to them.
    #[inline]
    pub(super) fn bytes(&self, item: u32) -> Option<&[u8]> {
        match &self.arguments {
            Arguments::Many(bytes, ends) => {
                let item = item as usize;
                let start = if item == 0 { HEADER } else { *ends.get(item - 1)? };
                let measured = bytes.get(start..*ends.get(item)?)?;
                measured.get(lengths::first(measured)?.0..)
            }
            Arguments::One(parcel) => parcel.bytes(),
        }
    }

    /// The arguments of the first of these items with their [lengths]: at most so many bytes of so many items, but one at least.
    pub(super) fn stretch(&self, items: Range<u32>, most: usize, most_items: usize) -> (&[u8], u32) {
        let Arguments::Many(bytes, ends) = &self.arguments else { return (&[], 0) };
        let first = items.start as usize;
        let start = if first == 0 { HEADER } else { ends.get(first - 1).copied().unwrap_or(HEADER) };
        let ends = ends.get(first..items.end as usize).unwrap_or_default();
        let ends = ends.get(..most_items).unwrap_or(ends);
        let count = ends.partition_point(|end| end - start <= most).max(1).min(ends.len());
        let end = count.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(start);
        (bytes.get(start..end).unwrap_or_default(), count as u32)
    }

    /// How many bytes the arguments of these items are.
    pub(super) fn length_of(&self, items: Range<u32>) -> usize {
        let Arguments::Many(_, ends) = &self.arguments else { return if items.is_empty() { 0 } else { self.length() } };
        let end_before = |item: u32| (item as usize).checked_sub(1).and_then(|item| ends.get(item)).copied();
        end_before(items.end).unwrap_or(HEADER).saturating_sub(end_before(items.start).unwrap_or(HEADER))
    }

    /// How many bytes its arguments are.
    pub(super) fn length(&self) -> usize {
        match &self.arguments {
            Arguments::Many(bytes, _) => bytes.len() - HEADER.min(bytes.len()),
            Arguments::One(parcel) => parcel.length(),
        }
    }

    /// Whether all items are settled.
    pub(super) fn is_done(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }

    pub(super) fn settled(&self) -> MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many more are settled; who waits for that is told.
    pub(super) fn close(&self, items: u32) {
        if items > 0 {
            let before = self.open.fetch_sub(items, Ordering::SeqCst);
            self.watch.tell(before == items);
        }
    }

    /// Settles one item.
    pub(super) fn settle(&self, settlement: Settlement) {
        self.settled().list.push(settlement);
        self.close(1);
    }

    /// Takes what has been settled since the last time.
    pub(super) fn take(&self) -> (Vec<u8>, Vec<Settlement>) {
        let mut settled = self.settled();
        (mem::take(&mut settled.bytes), mem::take(&mut settled.list))
    }

    /// [`cancel`](Self::cancel) for many: that none of them is wanted is known before the first is taken back, with which the others then go.
    pub(super) fn cancel_all<'o>(orders: impl Iterator<Item = &'o Arc<Self>>) {
        let wanted = orders.filter(|order| !order.is_done() && !order.cancelled.swap(true, Ordering::AcqRel));
        for order in wanted.collect::<Vec<_>>() {
            if !order.is_done()
                && let Some(driver) = order.driver()
            {
                driver.cancel(order);
            }
        }
    }

    /// No item of it is to be begun any more, and none that runs is to go on. Returns whether there was one that was not settled.
    pub(super) fn cancel(self: &Arc<Self>) -> bool {
        if self.is_done() {
            return false;
        }
        Self::cancel_all([self].into_iter());
        true
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(super) fn is_driven_by(&self, driver: Weak<dyn Drive>) {
        self.driver.set(driver).ok();
    }

    pub(super) fn driver(&self) -> Option<Arc<dyn Drive>> {
        self.driver.get()?.upgrade()
    }

    /// That is to happen to the item when it is tried for the first time.
    pub(super) fn has_fault(&self, item: u32, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push((item, fault));
        self.is_faulty.store(true, Ordering::Release);
    }

    /// Whether there is such an item.
    #[inline]
    pub(super) fn is_faulty(&self) -> bool {
        self.is_faulty.load(Ordering::Acquire)
    }

    /// What is to happen to the item at the attempt that is to be made now.
    pub(super) fn fault(&self, item: u32) -> Option<Fault> {
        if !self.is_faulty() || self.attempt(item) > 1 {
            return None;
        }
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().rev().find(|(of, _)| *of == item).map(|(_, fault)| *fault)
    }

    /// Workers have spent so much time on it.
    pub(super) fn spend(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.busy.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How long an item has taken on average, if that is known.
    pub(super) fn time_of_one(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed) / u64::from(self.count()).max(1))
    }

    /// How often an item has been begun, if it is being run now.
    pub(super) fn attempt(&self, item: u32) -> u32 {
        self.settled().attempts.iter().find(|known| known.item == item).map_or(1, |known| known.made + 1)
    }

    /// What is known of an item of this order; the attempt that was made last.
    pub(super) fn facts(&self, item: u32, attempt: u32) -> FactsOfTask {
        FactsOfTask {
            target: self.target.name().to_owned().into(),
            index: self.first + u64::from(item),
            attempt,
            ..FactsOfTask::default()
        }
    }

    /// The error of an item that was never begun.
    pub(super) fn cancelled(&self, item: u32) -> TaskError {
        let attempt = self.attempt(item) - 1;
        TaskError::Cancelled(TaskFacts::new(self.facts(item, attempt)))
    }

    /// An attempt ended like this. Returns when to make another one; or that was the last, with what is to be said of it.
    pub(super) fn failed(&self, item: u32, error: TaskError) -> Result<Duration, TaskError> {
        let mut settled = self.settled();
        let known = match settled.attempts.iter_mut().position(|known| known.item == item) {
            Some(at) => at,
            None => {
                settled.attempts.push(Attempts { item, made: 0, deaths: 0 });
                settled.attempts.len() - 1
            }
        };
        let Some(attempts) = settled.attempts.get_mut(known) else { return Err(error) };
        attempts.made += 1;
        attempts.deaths += u32::from(error.is_worker_death());
        let Attempts { made, deaths, .. } = *attempts;
        drop(settled);
        if !self.is_cancelled()
            && let Some(pause) = self.options.retry.after(made, &error)
        {
            return Ok(pause);
        }
        if made > 1 && deaths == made {
            return Err(TaskError::Poisoned(error.facts().clone(), Box::new(error)));
        }
        Err(error)
    }
}

impl Settled {
    /// Settles items, from that one on, with values that stand one behind the other with their [lengths].
    pub(super) fn values(&mut self, item: u32, count: u32, bytes: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&[0; HEADER]);
        }
        self.bytes.extend_from_slice(bytes);
        self.list.push(Settlement::Values { item, count });
    }
}
