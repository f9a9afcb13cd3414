//! Locks and their kin, while those who use them are killed at random moments.

use std::{
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::Duration,
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::support::{eventually, is_waiting, kill_at_random, soak, spin, watchdog, watchdog_of_soak};

/// Nobody has to wait so long, whoever is killed.
const LONG: Duration = Duration::from_secs(60);

/// What a lock protects, and what went wrong.
#[derive(Clone, Serialize, Deserialize)]
struct Room {
    inside: mp::RawValue<AtomicU32>,
    entered: mp::RawValue<AtomicU64>,
    wrong: mp::RawValue<AtomicU32>,
    stop: mp::Event,
}

impl Room {
    fn new() -> Self {
        Self {
            inside: mp::RawValue::new(0).unwrap(),
            entered: mp::RawValue::new(0).unwrap(),
            wrong: mp::RawValue::new(0).unwrap(),
            stop: mp::Event::new().unwrap(),
        }
    }

    /// The caller holds the lock. `died`: the one before did not leave.
    fn enter(&self, died: bool) {
        let before = self.inside.swap(thread_number(), SeqCst);
        if before != 0 && !died {
            self.wrong.fetch_add(1, SeqCst);
        }
        let entered = self.entered.load(Relaxed);
        spin(Duration::from_nanos(entered % 700));
        // Without the lock, some of these would be lost.
        self.entered.store(entered + 1, Relaxed);
        if self.inside.swap(0, SeqCst) != thread_number() {
            self.wrong.fetch_add(1, SeqCst);
        }
    }

    fn is_open(&self) -> bool {
        !self.stop.is_set()
    }
}

fn thread_number() -> u32 {
    nix::unistd::gettid().as_raw().cast_unsigned()
}

/// One that waits longer than [`LONG`] panics, which is seen at the end.
fn in_two_threads(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        scope.spawn(&work);
        work();
    });
}

#[mp::process_target]
fn takes_a_lock(lock: mp::Lock, room: Room) {
    in_two_threads(|| {
        while room.is_open() {
            match lock.lock_timeout(LONG) {
                Ok(guard) => {
                    room.enter(false);
                    drop(guard);
                }
                Err(mp::LockError::OwnerDied(guard)) => {
                    room.enter(true);
                    guard.mark_consistent();
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
}

#[test]
fn random_kills_around_a_lock() {
    let _watchdog = watchdog_of_soak();
    let (lock, room) = (mp::Lock::new().unwrap(), Room::new());
    let start = |_| mp::spawn(takes_a_lock, (lock.clone(), room.clone())).unwrap();
    let (children, kills) = kill_at_random(4, start, |_| ());
    room.stop.set();
    children.iter().for_each(|child| child.join().unwrap());
    assert_eq!(room.wrong.load(SeqCst), 0, "two were inside at once");
    assert!(room.entered.load(SeqCst) > kills as u64);
    drop(lock.lock_timeout(LONG).or_else(mp::LockError::recover).unwrap());
}

#[mp::process_target]
fn takes_an_rlock(lock: mp::RLock, room: Room) {
    in_two_threads(|| {
        while room.is_open() {
            let (outer, died) = match lock.lock_timeout(LONG) {
                Ok(guard) => (guard, false),
                Err(mp::LockError::OwnerDied(guard)) => (guard, true),
                Err(error) => panic!("{error}"),
            };
            if died {
                outer.mark_consistent();
            }
            let inner = lock.try_lock().unwrap();
            room.enter(died);
            drop(outer);
            drop(inner);
        }
    });
}

#[test]
fn random_kills_around_an_rlock() {
    let _watchdog = watchdog_of_soak();
    let (lock, room) = (mp::RLock::new().unwrap(), Room::new());
    let start = |_| mp::spawn(takes_an_rlock, (lock.clone(), room.clone())).unwrap();
    let (children, _) = kill_at_random(3, start, |_| ());
    room.stop.set();
    children.iter().for_each(|child| child.join().unwrap());
    assert_eq!(room.wrong.load(SeqCst), 0, "two were inside at once");
    drop(lock.lock_timeout(LONG).or_else(mp::LockError::recover).unwrap());
    assert!(!lock.is_locked());
}

#[mp::process_target]
fn takes_permits(semaphore: mp::BoundedSemaphore, stop: mp::Event) {
    in_two_threads(|| {
        while !stop.is_set() {
            let permit = semaphore.acquire_timeout(LONG).unwrap();
            spin(Duration::from_nanos(700));
            drop(permit);
        }
    });
}

#[test]
fn random_kills_among_those_with_permits() {
    let _watchdog = watchdog_of_soak();
    for permits in [1, 3] {
        let (semaphore, stop) = (mp::BoundedSemaphore::new(permits).unwrap(), mp::Event::new().unwrap());
        let start = |_| mp::spawn(takes_permits, (semaphore.clone(), stop.clone())).unwrap();
        let (children, _) = kill_at_random(4, start, |_| ());
        stop.set();
        children.iter().for_each(|child| child.join().unwrap());
        // All are there again, and not one more.
        let all: Vec<_> = (0..permits).map(|_| semaphore.acquire_timeout(LONG).unwrap()).collect();
        assert!(semaphore.try_acquire().unwrap_err().is_timed_out());
        drop(all);
        assert_eq!(semaphore.value(), permits);
    }
}

/// A store of things that a condition tells of.
#[derive(Clone, Serialize, Deserialize)]
struct Store {
    there: mp::Condition,
    things: mp::RawValue<AtomicU32>,
    wrong: mp::RawValue<AtomicU32>,
    stop: mp::Event,
}

impl Store {
    fn lock(&self) -> mp::RLockGuard<'_> {
        self.there.lock_timeout(LONG).or_else(mp::LockError::recover).unwrap()
    }
}

#[mp::process_target]
fn consumes(store: Store) {
    in_two_threads(|| {
        let mut guard = store.lock();
        while !store.stop.is_set() {
            let there = || store.things.load(Relaxed) > 0 || store.stop.is_set();
            match store.there.wait_for_timeout(&mut guard, LONG, there) {
                Ok(true) => {
                    store.things.fetch_update(SeqCst, SeqCst, |things| things.checked_sub(1)).ok();
                }
                Ok(false) => {
                    store.wrong.fetch_add(1, SeqCst);
                }
                Err(error) if error.is_owner_died() => guard.mark_consistent(),
                Err(error) => panic!("{error}"),
            }
        }
    });
}

#[test]
fn random_kills_among_those_who_wait_for_a_condition() {
    let _watchdog = watchdog_of_soak();
    let store = Store {
        there: mp::Condition::new().unwrap(),
        things: mp::RawValue::new(0).unwrap(),
        wrong: mp::RawValue::new(0).unwrap(),
        stop: mp::Event::new().unwrap(),
    };
    let start = |_| mp::spawn(consumes, (store.clone(),)).unwrap();
    let (children, _) = kill_at_random(4, start, |_| {
        for _ in 0..3 {
            let guard = store.lock();
            store.things.fetch_add(1, SeqCst);
            store.there.notify(1);
            drop(guard);
        }
    });
    // Whoever was woken and killed, somebody else takes the thing.
    eventually("all to be taken", || store.things.load(SeqCst) == 0);
    let guard = store.lock();
    store.stop.set();
    store.there.notify_all();
    drop(guard);
    children.iter().for_each(|child| child.join().unwrap());
    assert_eq!(store.wrong.load(SeqCst), 0, "somebody waited for {LONG:?}");
}

#[mp::process_target]
fn meets(barrier: mp::Barrier, met: mp::RawValue<AtomicU64>, stop: mp::Event) {
    while !stop.is_set() {
        match barrier.wait_timeout(LONG) {
            Ok(index) => {
                assert!(index < 3);
                met.fetch_add(1, SeqCst);
            }
            Err(mp::BrokenBarrier::PartyDied | mp::BrokenBarrier::Reset | mp::BrokenBarrier::Aborted) => {
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn random_kills_among_those_who_meet() {
    let _watchdog = watchdog_of_soak();
    let (barrier, met) = (mp::Barrier::new(3).unwrap(), mp::RawValue::<AtomicU64>::new(0).unwrap());
    let stop = mp::Event::new().unwrap();
    let start = |_| mp::spawn(meets, (barrier.clone(), met.clone(), stop.clone())).unwrap();
    let (children, _) = kill_at_random(3, start, |_| {
        // Who waited hears of it, whether they were all there or not.
        let before = met.load(SeqCst);
        barrier.reset();
        let _ = before;
    });
    let before = met.load(SeqCst);
    eventually("three to meet", || {
        if barrier.is_broken() {
            barrier.reset();
        }
        met.load(SeqCst) >= before + 9
    });
    stop.set();
    eventually("all to leave", || {
        barrier.abort();
        children.iter().all(|child| !child.is_alive())
    });
    children.iter().for_each(|child| child.join().unwrap());
}

#[mp::process_target]
fn waits_at(barrier: mp::Barrier) {
    barrier.wait().ok();
}

#[test]
fn a_barrier_breaks_when_one_who_waits_is_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    let barrier = mp::Barrier::new(3)?;
    let child = mp::spawn(waits_at, (barrier.clone(),))?;
    eventually("the child to wait", || barrier.waiting() == 1);
    thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait());
        eventually("both to wait", || barrier.waiting() == 2);
        child.kill().unwrap();
        // Without a timeout.
        assert_eq!(other.join().unwrap(), Err(mp::BrokenBarrier::PartyDied));
    });
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(mp::BrokenBarrier::PartyDied));
    barrier.reset();
    assert!(!barrier.is_broken());
    Ok(())
}

#[test]
fn a_barrier_lets_nobody_through_with_one_who_is_dead() -> mp::Result<()> {
    let _watchdog = watchdog();
    for _ in 0..20 {
        let barrier = mp::Barrier::new(2)?;
        let child = mp::spawn(waits_at, (barrier.clone(),))?;
        eventually("the child to wait", || barrier.waiting() == 1);
        child.kill().unwrap();
        child.join().unwrap_err();
        assert_eq!(barrier.wait(), Err(mp::BrokenBarrier::PartyDied));
    }
    Ok(())
}

#[mp::process_target]
fn waits_for_event(event: mp::Event, ready: mp::Event) {
    ready.set();
    event.wait();
}

#[mp::process_target]
fn waits_for_condition(condition: mp::Condition, ready: mp::Event) -> mp::Result<bool> {
    let mut guard = condition.lock()?;
    ready.set();
    condition.wait_timeout(&mut guard, LONG)
}

/// Whoever is woken because another one died looks again.
#[mp::process_target]
fn waits_in_vain(condition: mp::Condition, ready: mp::Event) -> mp::Result<()> {
    let mut guard = condition.lock()?;
    ready.set();
    condition.wait_for(&mut guard, || false)
}

#[test]
fn set_and_notify_wait_for_no_dead_waiter() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (event, condition, ready) = (mp::Event::new()?, mp::Condition::new()?, mp::Event::new()?);
    for _ in 0..20 {
        let child = mp::spawn(waits_for_event, (event.clone(), ready.clone()))?;
        ready.wait();
        ready.clear();
        child.kill().unwrap();
        child.join().unwrap_err();
        event.set();
        event.clear();
        let child = mp::spawn(waits_in_vain, (condition.clone(), ready.clone()))?;
        ready.wait();
        ready.clear();
        drop(condition.lock()?); // it waits now
        child.kill().unwrap();
        child.join().unwrap_err();
        condition.notify_all();
    }
    // A notification for one goes to one who lives.
    let dead = mp::spawn(waits_in_vain, (condition.clone(), ready.clone()))?;
    ready.wait();
    ready.clear();
    drop(condition.lock()?);
    let alive = mp::spawn(waits_for_condition, (condition.clone(), ready.clone()))?;
    ready.wait();
    drop(condition.lock()?);
    dead.kill().unwrap();
    dead.join().unwrap_err();
    condition.notify(1);
    assert!(alive.join()??);
    Ok(())
}

#[test]
fn who_is_woken_and_killed_passes_the_wake_up_on() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (condition, ready) = (mp::Condition::new()?, mp::Event::new()?);
    let mut children = Vec::new();
    for _ in 0..2 {
        children.push(mp::spawn(waits_for_condition, (condition.clone(), ready.clone()))?);
        ready.wait();
        ready.clear();
        drop(condition.lock()?); // it waits now
        eventually("it to sleep", || is_waiting(children[children.len() - 1].pid()));
    }
    let guard = condition.lock()?;
    condition.notify(1);
    // The one that has waited longest is awake, and needs the lock.
    children[0].kill()?;
    children[0].join().unwrap_err();
    drop(guard);
    assert!(children[1].join()??, "it was not woken in the other's place");
    Ok(())
}

#[mp::process_target]
fn changes_a_value(value: mp::Value<[u64; 9]>, wrong: mp::RawValue<AtomicU32>, stop: mp::Event) {
    in_two_threads(|| {
        while !stop.is_set() {
            let now = value.get();
            if now.iter().any(|number| *number != now[0]) {
                wrong.fetch_add(1, SeqCst);
            }
            value.with(|numbers| numbers.iter_mut().for_each(|number| *number += 1)).unwrap();
        }
    });
}

#[test]
fn random_kills_while_a_value_changes() {
    let _watchdog = watchdog_of_soak();
    let (value, wrong) = (mp::Value::new([0_u64; 9]).unwrap(), mp::RawValue::<AtomicU32>::new(0).unwrap());
    let stop = mp::Event::new().unwrap();
    let start = |_| mp::spawn(changes_a_value, (value.clone(), wrong.clone(), stop.clone())).unwrap();
    let (children, _) = kill_at_random(3, start, |_| ());
    stop.set();
    children.iter().for_each(|child| child.join().unwrap());
    assert_eq!(wrong.load(SeqCst), 0, "half a change was seen");
    let now = value.get();
    assert!(now[0] > 0 && now.iter().all(|number| *number == now[0]), "{now:?}");
    assert!(soak() > Duration::ZERO);
}
