//! Many items for one target: fed to an executor as it gets on with them, and their results handed out.
//!
//! All is done in the thread that takes the results: it takes items from the input, encodes them in chunks, and waits. So the input
//! may borrow, may block, may be endless, and may panic; that is its taker's business alone.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    iter::FusedIterator,
    marker::PhantomData,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Executor, TargetName, Tasks, Work,
    chunk::Chunk,
    order::{Arguments, Order as Shared},
    progress::{Listeners, Progress},
    task,
    watch::Watcher,
};
use crate::{
    codec::{Encoder, HEADER, Parcel},
    error::{Result, TaskError},
    process::{Arguments as _, WorkerTarget},
    sys::poll::Deadline,
};

/// A chunk is to take a worker about so long.
const WORTH_A_CHUNK: Duration = Duration::from_micros(250);
/// So long a worker is to have something to do when nobody looks after it.
const AHEAD: Duration = Duration::from_millis(5);
/// What was taken from a slow input is not kept back for longer.
const A_WHILE: Duration = Duration::from_millis(1);
/// What was taken is handed over before the input is asked again, unless tasks are shorter than that, ...
const SHORT: Duration = Duration::from_micros(20);
/// ... and the input yields so many items in [a while](A_WHILE).
const SLOW: usize = 50;
/// It is looked after so many items how long they took.
const STEP: usize = 32;
const LARGEST_CHUNK: usize = 2048;
/// So many chunks are handed over together, at most.
const AT_ONCE: usize = 256;
/// A chunk of more bytes goes as it is.
const FULL: usize = 64 << 10;
/// A larger item goes by itself.
const LARGE: usize = 8 << 10;
const WINDOW_BYTES: usize = 64 << 20;
const LARGEST_WINDOW: usize = 1 << 17;

/// In which order results are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OfItems,
    AsTheyCome,
}

/// The results of a map, one by one: what [`Tasks::imap`] and its like return.
///
/// Each is a [`Result`] of its own. As an iterator it may be collected, or cut short; joiners say what is to happen when items fail:
/// [`after_all`](Self::after_all), [`fail_fast`](Self::fail_fast), [`first_success`](Self::first_success),
/// [`max_failures`](Self::max_failures). How far it has got, [`on_progress`](Self::on_progress) tells. Dropping it cancels what is not finished.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn is_prime(n: u64) -> bool {
///     n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// // The input has no end; it is taken as results are.
/// let primes = (0_u64..).zip(pool.imap(is_prime, 0_u64..)).filter(|(_, prime)| matches!(prime, Ok(true)));
/// assert_eq!(primes.map(|(n, _)| n).take(5).collect::<Vec<_>>(), [2, 3, 5, 7, 11]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs before results are taken"]
pub struct Imap<'e, E: Executor + ?Sized, F: WorkerTarget<E::State>, I> {
    tasks: Tasks<'e, E>,
    name: TargetName,
    /// `None`: it has ended.
    input: Option<I>,
    delivery: Order,
    /// How many items were taken from the input, how many of these were settled and that was received, and how many of those without a value.
    taken: u64,
    settled: u64,
    failed: u64,
    pub(super) listeners: Listeners<'e>,
    /// Those whose results have not all been received, the oldest first; and each by its first item.
    chunks: VecDeque<u64>,
    known: HashMap<u64, Chunk<F::Output>>,
    /// What has not been handed over yet.
    works: VecDeque<Work>,
    /// Items whose results have not been handed out.
    open: usize,
    bytes: usize,
    ready: VecDeque<Result<F::Output, TaskError>>,
    chunk_size: usize,
    /// So many items the input is expected to yield in [a while](A_WHILE).
    quick: usize,
    /// An item's own code is encoding it.
    encoding: bool,
    time_of_one: Duration,
    watcher: Option<Arc<Watcher>>,
    news: Vec<u64>,
    target: PhantomData<F>,
}

impl<'e, E, F, I> Imap<'e, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
    pub(super) fn new(tasks: Tasks<'e, E>, input: I, delivery: Order) -> Self {
        Self {
            tasks,
            name: TargetName::known(F::ID),
            input: Some(input),
            delivery,
            taken: 0,
            settled: 0,
            failed: 0,
            listeners: Listeners::default(),
            chunks: VecDeque::new(),
            known: HashMap::new(),
            works: VecDeque::new(),
            open: 0,
            bytes: 0,
            ready: VecDeque::new(),
            chunk_size: 1,
            quick: 1,
            encoding: false,
            time_of_one: Duration::ZERO,
            watcher: None,
            news: Vec::new(),
            target: PhantomData,
        }
    }

    /// Calls `each` with every result.
    pub(super) fn each(&mut self, mut each: impl FnMut(Result<F::Output, TaskError>)) {
        loop {
            self.fill();
            if self.known.is_empty() {
                self.tell();
                return;
            }
            if self.receive(&mut each) {
                self.tell();
            } else {
                self.wait();
            }
        }
    }

    /// Takes items from the input as far as the window allows.
    fn fill(&mut self) {
        if self.known.is_empty() {
            (self.open, self.bytes) = (0, 0);
        }
        let options = Arc::clone(self.tasks.options());
        let most_bytes = options.window_bytes.map_or(WINDOW_BYTES, NonZeroUsize::get);
        let mut waited = Duration::ZERO;
        while self.input.is_some() {
            let window = options.window.map_or_else(|| self.usual_window(), NonZeroUsize::get);
            let room = window.saturating_sub(self.open + self.ready.len());
            // Much at a time, or the whole window is cut into crumbs.
            let is_worth_it = room > window / 4 || room >= 2 * self.chunk_size.max(2) || !self.works.is_empty();
            if room == 0 || (self.open > 0 && (!is_worth_it || self.bytes >= most_bytes)) {
                break;
            }
            let (began, before) = (Instant::now(), self.taken);
            self.add_chunk(self.chunk_size.min(room).min(self.quick), began);
            let took = began.elapsed();
            let taken = u32::try_from(self.taken - before).unwrap_or(u32::MAX).max(1);
            self.quick = per(A_WHILE, (took / taken).max(Duration::from_nanos(1))).max(1);
            waited += took;
            let are_short = !self.time_of_one.is_zero() && self.time_of_one < SHORT;
            if !are_short || self.quick < SLOW || self.works.len() >= AT_ONCE || waited >= A_WHILE {
                self.hand_over();
            }
            if waited >= A_WHILE {
                waited = Duration::ZERO;
                if self.watcher.as_ref().is_some_and(|watcher| watcher.is_told()) {
                    // There are results, which are not to wait for the input.
                    break;
                }
            }
        }
        if !self.works.is_empty() {
            self.hand_over();
        }
    }

    /// Whether the input is slow, and slower than the workers.
    fn is_input_slower(&self) -> bool {
        let width = self.tasks.executor().width().max(1) as u128;
        self.quick < SLOW && A_WHILE.as_nanos() * width > self.time_of_one.as_nanos() * self.quick as u128
    }

    fn hand_over(&mut self) {
        if !self.tasks.place(&mut self.works) {
            // It takes no more: an endless input must not be asked for ever.
            self.input = None;
        }
    }

    fn usual_window(&self) -> usize {
        let width = self.tasks.executor().width().max(1);
        // Unknown at first: then one to run and one more for each.
        let each = per(AHEAD, self.time_of_one).clamp(2, LARGEST_WINDOW);
        let least = width.saturating_mul(2);
        width.saturating_mul(each).clamp(least, LARGEST_WINDOW.max(least))
    }

    fn add_chunk(&mut self, size: usize, began: Instant) {
        let mut encoder = Encoder::spilling_from(usize::MAX);
        let mut ends = Vec::with_capacity(size);
        let gathered = catch_unwind(AssertUnwindSafe(|| self.gather(size, &mut encoder, &mut ends, began)));
        if let Some(end) = ends.last() {
            // Should the code of an item have panicked, the others are still there.
            encoder.begin_anew(end - HEADER);
            self.place(Arguments::Many(encoder.into_parcel().into_body(), ends));
        }
        match gathered {
            Ok(None) => {}
            Ok(Some(Ok(parcel))) => self.place(Arguments::One(parcel)),
            Ok(Some(Err(error))) => {
                let order = self.tasks.unencodable::<F>(self.taken, error);
                self.register(&order);
                if let Some(watcher) = &self.watcher {
                    watcher.tell();
                }
            }
            Err(panic) => {
                if std::mem::take(&mut self.encoding) {
                    // The item is gone, with its index.
                    self.taken += 1;
                    self.settled += 1;
                    self.failed += 1;
                }
                if !self.works.is_empty() {
                    self.hand_over();
                }
                resume_unwind(panic);
            }
        }
    }

    /// Encodes up to `size` items. Returns the one after them if it goes by itself, or does not encode.
    fn gather(
        &mut self,
        size: usize,
        encoder: &mut Encoder,
        ends: &mut Vec<usize>,
        began: Instant,
    ) -> Option<Result<Parcel>> {
        let input = self.input.as_mut()?;
        while ends.len() < size && encoder.length() < FULL {
            self.encoding = false;
            let Some(args) = input.next() else {
                self.input = None;
                return None;
            };
            self.encoding = true;
            let before = encoder.length();
            encoder.begin_anew(before);
            match encoder.put_measured(args.value()) {
                Ok(length) if encoder.is_plain() && length <= LARGE => ends.push(HEADER + encoder.length()),
                // Once more, by itself.
                Ok(_) => {
                    encoder.begin_anew(before);
                    let mut own = Encoder::spilling_from(usize::MAX);
                    return Some(own.put(args.value()).map(|()| own.into_parcel()));
                }
                Err(error) => {
                    encoder.begin_anew(before);
                    return Some(Err(error));
                }
            }
            if ends.len().is_multiple_of(STEP) && began.elapsed() >= A_WHILE {
                break;
            }
        }
        None
    }

    fn place(&mut self, arguments: Arguments) {
        let options = Arc::clone(self.tasks.options());
        let order = Arc::new(Shared::new(self.name.clone(), options, self.taken, arguments));
        self.register(&order);
        self.works.push_back(Work::new(&order));
    }

    fn register(&mut self, order: &Arc<Shared>) {
        let watcher = self.watcher.get_or_insert_with(Watcher::new);
        order.watch.by_thread(watcher, self.taken);
        self.chunks.push_back(self.taken);
        self.known.insert(self.taken, Chunk::new(Arc::clone(order)));
        self.taken += u64::from(order.count());
        self.open += order.count() as usize;
        self.bytes += order.length();
    }

    /// Takes what has been settled. Returns whether there was anything to hand out.
    fn receive(&mut self, each: &mut impl FnMut(Result<F::Output, TaskError>)) -> bool {
        let mut some = false;
        match self.delivery {
            Order::OfItems => {
                if let Some(watcher) = &self.watcher {
                    // Whose turn it is is known; they are not to pile up.
                    watcher.news(&mut self.news);
                }
                while let Some(&first) = self.chunks.front() {
                    some |= self.receive_from(first, each);
                    if self.known.contains_key(&first) {
                        break;
                    }
                    self.chunks.pop_front();
                }
            }
            Order::AsTheyCome => {
                let mut news = Vec::new();
                if let Some(watcher) = &self.watcher {
                    watcher.news(&mut news);
                }
                self.news.append(&mut news);
                // What failed before anybody could be told.
                self.news.extend(self.chunks.drain(..));
                // Should a value's own code panic, the rest is still there.
                while let Some(&first) = self.news.last() {
                    some |= self.receive_from(first, each);
                    self.news.pop();
                }
            }
        }
        some
    }

    fn receive_from(&mut self, first: u64, each: &mut impl FnMut(Result<F::Output, TaskError>)) -> bool {
        let Some(chunk) = self.known.get_mut(&first) else { return false };
        let before = chunk.out();
        let in_order = self.delivery == Order::OfItems;
        let mut values = 0;
        let received = catch_unwind(AssertUnwindSafe(|| {
            chunk.receive(in_order, &mut |result| {
                values += u64::from(result.is_ok());
                each(result);
            });
        }));
        let handed_out = chunk.out() - before;
        self.open = self.open.saturating_sub(handed_out as usize);
        self.settled += u64::from(handed_out);
        self.failed += u64::from(handed_out).saturating_sub(values);
        if chunk.is_done() {
            let (length, time) = (chunk.order.length(), chunk.order.time_of_one());
            self.bytes = self.bytes.saturating_sub(length);
            self.known.remove(&first);
            self.learn(time);
        }
        // The code of a value's type: whoever takes the results is to know.
        received.unwrap_or_else(|panic| resume_unwind(panic));
        handed_out > 0
    }

    /// Chunks grow only while tasks are measured to be short.
    fn learn(&mut self, time_of_one: Duration) {
        if time_of_one.is_zero() {
            return;
        }
        self.time_of_one =
            if self.time_of_one.is_zero() { time_of_one } else { (self.time_of_one * 3 + time_of_one) / 4 };
        let good = per(WORTH_A_CHUNK, self.time_of_one).clamp(1, LARGEST_CHUNK);
        self.chunk_size = good.min(self.chunk_size * 2);
    }

    /// Tells who wants to know how far it has got.
    fn tell(&mut self) {
        if !self.listeners.is_empty() {
            let progress = self.progress();
            self.listeners.tell(progress);
        }
    }

    pub(super) fn progress(&self) -> Progress {
        let left = match self.input.as_ref().map(Iterator::size_hint) {
            None => Some(0),
            Some((least, most)) => (most == Some(least)).then_some(least as u64),
        };
        let Self { settled, failed, taken, .. } = *self;
        Progress { settled, failed, taken, total: left.map(|left| taken.saturating_add(left)) }
    }

    fn wait(&mut self) {
        let Some(watcher) = &self.watcher else { return };
        if !watcher.was_told()
            && let Some(chunk) = self.known.values().find(|chunk| !chunk.order.is_done())
        {
            task::drive(&chunk.order, watcher, Deadline::NEVER);
        }
    }

    /// How many results there will be at least, as far as the input says; not more than there is reason to make room for.
    pub(super) fn least(&self) -> usize {
        let most = WINDOW_BYTES / size_of::<F::Output>().max(1);
        self.input.as_ref().map_or(0, |input| input.size_hint().0.min(most))
    }
}

fn per(time: Duration, one: Duration) -> usize {
    if one.is_zero() { 1 } else { usize::try_from(time.as_nanos() / one.as_nanos()).unwrap_or(usize::MAX) }
}

impl<E, F, I> Iterator for Imap<'_, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
    type Item = Result<F::Output, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Before the workers run dry, not after; but what is ready does not wait for a slow input.
            if self.input.is_some() && self.ready.len() <= if self.is_input_slower() { 0 } else { self.open } {
                self.fill();
            }
            if let Some(result) = self.ready.pop_front() {
                return Some(result);
            }
            if self.known.is_empty() && self.input.is_none() {
                self.tell();
                return None;
            }
            let mut ready = std::mem::take(&mut self.ready);
            let received = catch_unwind(AssertUnwindSafe(|| self.receive(&mut |result| ready.push_back(result))));
            self.ready = ready;
            if received.unwrap_or_else(|panic| resume_unwind(panic)) {
                self.tell();
            } else if !self.known.is_empty() {
                self.wait();
            }
        }
    }
}

impl<E, F, I> FusedIterator for Imap<'_, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
}

impl<E: Executor + ?Sized, F: WorkerTarget<E::State>, I> Drop for Imap<'_, E, F, I> {
    fn drop(&mut self) {
        Shared::cancel_all(self.known.values().map(|chunk| &chunk.order));
    }
}

impl<E: Executor + ?Sized, F: WorkerTarget<E::State>, I> fmt::Debug for Imap<'_, E, F, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("target", &self.name.name())
            .field("taken", &self.taken)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// Items for targets of one argument.
#[derive(Debug)]
pub struct Singly<I>(pub(super) I);

impl<I: Iterator> Iterator for Singly<I> {
    type Item = (I::Item,);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?,))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}
