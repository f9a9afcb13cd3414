//! The memory order of the locks, by [loom](https://docs.rs/loom): `RUSTFLAGS="--cfg loom" cargo test -p mp-runtime --lib --release loom`.
//!
//! This runs the real code of the mutex, the event and the condition, on loom's atomics and a futex made of loom's parts (`sys/loom/`).
//! Only a condition's `wait` and a value's `get` and `with` are written out here, because theirs need an arena: change these too when those
//! change. Nobody is killed here; that is `models/`.

use std::sync::{
    Arc,
    atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
    },
};

use loom::{model::Builder, sync::atomic::fence, thread};

use crate::{
    shm::layouts::{ConditionPart, EventPart, LockPart},
    sys::{
        atomic::AtomicU64,
        futex,
        poll::Deadline,
        robust_mutex::{Locked, RobustMutex},
    },
};

/// All interleavings, or those with so many changes of thread where the thread could have gone on.
fn model(preemptions: Option<usize>, test: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    let begun = std::time::Instant::now();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        test();
    });
    println!("{} executions, {:.1?}", runs.load(Relaxed), begun.elapsed());
}

/// Runs it in that many threads, this one among them, on the same `T`.
fn in_threads<T: Send + Sync + 'static>(count: usize, shared: &Arc<T>, run: fn(&T)) {
    let others: Vec<_> = (1..count)
        .map(|_| {
            let shared = Arc::clone(shared);
            thread::spawn(move || run(&shared))
        })
        .collect();
    run(shared);
    assert!(others.into_iter().all(|other| other.join().is_ok()));
}

fn lock(mutex: &RobustMutex) {
    assert!(matches!(mutex.lock(Deadline::NEVER), Ok(Locked::Yes)));
}

/// Adds one in two steps without any order of their own: who does not see what the one before has written loses it.
fn add(count: &AtomicU64) {
    count.store(count.load(Relaxed) + 1, Relaxed);
}

#[derive(Default)]
struct Counted {
    part: LockPart,
    count: AtomicU64,
}

fn count(threads: usize, preemptions: Option<usize>) {
    model(preemptions, move || {
        let shared = Arc::new(Counted::default());
        in_threads(threads, &shared, |shared: &Counted| {
            lock(&shared.part.mutex);
            add(&shared.count);
            shared.part.mutex.unlock();
        });
        lock(&shared.part.mutex);
        assert_eq!(shared.count.load(Relaxed), threads as u64);
        shared.part.mutex.unlock();
    });
}

#[test]
fn mutex_of_two() {
    count(2, Some(6));
}

#[test]
fn mutex_of_three() {
    count(3, Some(3));
}

#[test]
fn event_that_is_set() {
    model(Some(6), || {
        let shared = Arc::new((EventPart::default(), AtomicU64::default()));
        let setter = Arc::clone(&shared);
        let setter = thread::spawn(move || {
            add(&setter.1);
            setter.0.set();
        });
        assert!(shared.0.wait(Deadline::NEVER));
        assert_eq!(shared.1.load(Relaxed), 1);
        assert!(setter.join().is_ok());
    });
}

#[test]
fn event_that_is_set_and_cleared() {
    model(Some(5), || {
        let event = Arc::new(EventPart::default());
        let setter = Arc::clone(&event);
        let setter = thread::spawn(move || {
            setter.set();
            setter.clear();
            setter.set();
        });
        assert!(event.wait(Deadline::NEVER));
        assert!(setter.join().is_ok());
    });
}

#[test]
fn event_of_two_waiters() {
    model(Some(3), || {
        let event = Arc::new(EventPart::default());
        let setter = Arc::clone(&event);
        let setter = thread::spawn(move || setter.set());
        in_threads(2, &event, |event: &EventPart| assert!(event.wait(Deadline::NEVER)));
        assert!(setter.join().is_ok());
    });
}

#[derive(Default)]
struct Things {
    lock: LockPart,
    condition: ConditionPart,
    things: AtomicU64,
}

impl Things {
    /// `Condition::wait_for`.
    fn take(&self) {
        lock(&self.lock.mutex);
        while self.things.load(Relaxed) == 0 {
            self.condition.waiting.fetch_add(1, SeqCst);
            let base = self.condition.changes.load(SeqCst);
            self.lock.mutex.unlock();
            assert!(self.condition.sleep(base, Deadline::NEVER, || Ok(false)).is_ok_and(|notified| notified));
            lock(&self.lock.mutex);
            self.condition.waiting.fetch_sub(1, SeqCst);
        }
        self.things.store(self.things.load(Relaxed) - 1, Relaxed);
        self.lock.mutex.unlock();
    }

    /// With `Condition::notify`.
    fn make(&self, with_the_lock: bool) {
        lock(&self.lock.mutex);
        add(&self.things);
        if !with_the_lock {
            self.lock.mutex.unlock();
        }
        if self.condition.waiting.load(SeqCst) > 0 {
            self.condition.notify(1, || {
                futex::wake(&self.condition.changes, u32::MAX);
            });
        }
        if with_the_lock {
            self.lock.mutex.unlock();
        }
    }
}

fn make_and_take(takers: u64, with_the_lock: bool, preemptions: Option<usize>) {
    model(preemptions, move || {
        let shared = Arc::new(Things::default());
        let maker = Arc::clone(&shared);
        let maker = thread::spawn(move || (0..takers).for_each(|_| maker.make(with_the_lock)));
        in_threads(takers as usize, &shared, Things::take);
        assert!(maker.join().is_ok());
        assert_eq!(shared.things.load(Relaxed), 0);
    });
}

#[test]
fn condition_notified() {
    make_and_take(1, true, Some(4));
}

#[test]
fn condition_notified_without_the_lock() {
    make_and_take(1, false, Some(4));
}

#[test]
fn condition_of_two_waiters() {
    make_and_take(2, true, Some(2));
}

/// `values/value.rs`, of two words.
#[derive(Default)]
struct Value {
    part: LockPart,
    version: AtomicU64,
    places: [[AtomicU64; 2]; 2],
}

impl Value {
    fn get(&self) -> [u64; 2] {
        loop {
            let version = self.version.load(Acquire);
            let place = &self.places[version as usize % 2];
            let value = [place[0].load(Relaxed), place[1].load(Relaxed)];
            fence(Acquire);
            if self.version.load(Relaxed) == version {
                return value;
            }
            thread::yield_now();
        }
    }

    fn with(&self, change: impl FnOnce([u64; 2]) -> [u64; 2]) {
        lock(&self.part.mutex);
        let version = self.version.load(Relaxed);
        let place = &self.places[version as usize % 2];
        let value = change([place[0].load(Relaxed), place[1].load(Relaxed)]);
        fence(Release);
        let place = &self.places[(version + 1) as usize % 2];
        place[0].store(value[0], Release);
        place[1].store(value[1], Release);
        self.version.store(version + 1, Release);
        self.part.mutex.unlock();
    }
}

#[test]
fn value_is_read_whole() {
    model(Some(3), || {
        let value = Arc::new(Value::default());
        let writer = Arc::clone(&value);
        let writer = thread::spawn(move || (0..3).for_each(|_| writer.with(|[a, b]| [a + 1, b + 1])));
        let first = value.get();
        let second = value.get();
        assert!(first[0] == first[1] && second[0] == second[1] && first[0] <= second[0]);
        assert!(writer.join().is_ok());
        assert_eq!(value.get(), [3, 3]);
    });
}

#[test]
fn value_of_two_writers() {
    model(Some(5), || {
        let value = Arc::new(Value::default());
        in_threads(2, &value, |value: &Value| value.with(|[a, b]| [a + 1, b + 1]));
        assert_eq!(value.get(), [2, 2]);
    });
}
