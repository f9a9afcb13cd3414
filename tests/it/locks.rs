//! What the locks of `threading` do, between threads and processes.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::support::{eventually, is_waiting, watchdog};

const SHORT: Duration = Duration::from_millis(20);

#[mp::process_target]
fn tries(lock: mp::Lock) -> (bool, bool, Option<u32>, String) {
    let start = Instant::now();
    let timed_out = matches!(lock.lock_timeout(SHORT), Err(mp::LockError::TimedOut));
    assert!(start.elapsed() >= SHORT);
    (matches!(lock.try_lock(), Err(mp::LockError::TimedOut)), timed_out, lock.holder(), format!("{lock:?}"))
}

#[mp::process_target]
fn takes_and_gives(lock: mp::Lock) -> bool {
    lock.lock().is_ok() && !lock.is_locked()
}

#[test]
fn a_lock_is_held_by_one() -> mp::Result<()> {
    let _watchdog = watchdog();
    let lock = mp::Lock::new()?;
    assert!(!lock.is_locked());
    assert_eq!(format!("{lock:?}"), "Lock(free)");
    let guard = lock.lock()?;
    assert_eq!(format!("{lock:?}"), "Lock(held by this thread)");
    let (refused, timed_out, holder, text) = mp::spawn(tries, (lock.clone(),))?.join()?;
    assert!(refused && timed_out);
    assert_eq!(holder, Some(std::process::id()));
    assert!(text.starts_with(&format!("Lock(held by process {} (", std::process::id())), "{text}");
    assert!(matches!(lock.lock(), Err(mp::LockError::WouldDeadlock)));
    assert!(matches!(lock.try_lock(), Err(mp::LockError::WouldDeadlock)));
    thread::scope(|scope| {
        let seen = scope.spawn(|| format!("{lock:?}")).join().unwrap();
        assert_eq!(seen, "Lock(held by another thread of this process)");
    });
    drop(guard);
    assert!(mp::spawn(takes_and_gives, (lock.clone(),))?.join()?);
    Ok(())
}

#[test]
fn who_waits_for_a_lock_sleeps_and_gets_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let lock = mp::Lock::new()?;
    let guard = lock.lock()?;
    let child = mp::spawn(takes_and_gives, (lock.clone(),))?;
    eventually("the child to sleep", || is_waiting(child.pid()));
    drop(guard);
    assert!(child.join()?);
    Ok(())
}

#[mp::process_target]
fn dies_holding(lock: mp::Lock, held: mp::Event) {
    let _guard = lock.lock().unwrap();
    held.set();
    std::process::abort();
}

#[test]
fn a_dead_holder_is_told_of_until_somebody_says_that_all_is_well() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (lock, held) = (mp::Lock::new()?, mp::Event::new()?);
    let child = mp::spawn(dies_holding, (lock.clone(), held.clone()))?;
    let pid = child.pid();
    held.wait();
    for _ in 0..3 {
        let error = lock.lock().unwrap_err();
        assert!(error.to_string().contains("died while it held the lock"));
        assert!(mp::Error::from(error).is_owner_died());
    }
    assert!(format!("{lock:?}").contains(&format!("process {pid} died holding it")), "{lock:?}");
    let guard = lock.lock().unwrap_err().into_guard().unwrap();
    guard.mark_consistent();
    drop(guard);
    drop(lock.lock()?);
    child.join().unwrap_err();
    Ok(())
}

#[test]
fn who_waits_for_a_lock_hears_of_its_holders_death() -> mp::Result<()> {
    #[mp::process_target]
    fn holds(lock: mp::Lock, held: mp::Event) {
        let _guard = lock.lock().unwrap();
        held.set();
        super::support::wait_for_ever();
    }

    #[mp::process_target]
    fn hears(lock: mp::Lock) -> bool {
        matches!(lock.lock(), Err(mp::LockError::OwnerDied(_)))
    }

    let _watchdog = watchdog();
    let (lock, held) = (mp::Lock::new()?, mp::Event::new()?);
    let holder = mp::spawn(holds, (lock.clone(), held.clone()))?;
    held.wait();
    let waiters: Vec<_> = (0..3).map(|_| mp::spawn(hears, (lock.clone(),))).collect::<Result<_, _>>()?;
    eventually("all to sleep", || waiters.iter().all(|waiter| is_waiting(waiter.pid())));
    holder.kill()?;
    for waiter in waiters {
        assert!(waiter.join()?);
    }
    holder.join().unwrap_err();
    Ok(())
}

#[test]
fn a_panic_releases_a_lock() -> mp::Result<()> {
    #[mp::process_target]
    fn panics(lock: mp::Lock) {
        let _guard = lock.lock().unwrap();
        panic!("with the lock held");
    }

    let _watchdog = watchdog();
    let lock = mp::Lock::new()?;
    mp::spawn(panics, (lock.clone(),))?.join().unwrap_err();
    drop(lock.lock()?);
    Ok(())
}

#[test]
fn a_thread_holds_only_so_many_as_the_kernel_gives_back() -> mp::Result<()> {
    #[mp::process_target]
    fn takes_many(locks: Vec<mp::Lock>) -> usize {
        let guards: Vec<_> = locks.iter().map_while(|lock| lock.lock().ok()).collect();
        let count = guards.len();
        assert!(matches!(locks[count].lock(), Err(mp::LockError::TooMany)));
        // Of its own it still can make and give up.
        drop(mp::Semaphore::new(1).unwrap().acquire().unwrap());
        std::mem::forget(guards);
        count
    }

    let _watchdog = watchdog();
    let locks: Vec<_> = (0..2_500).map(|_| mp::Lock::new()).collect::<Result<_, _>>()?;
    let count = mp::spawn(takes_many, (locks.clone(),))?.join()?;
    assert!(count > 1_000, "{count}");
    for (number, lock) in locks.iter().enumerate() {
        assert_eq!(lock.try_lock().is_err(), number < count, "lock {number}");
    }
    Ok(())
}

#[test]
fn a_copy_by_fork_gives_nothing_back() -> mp::Result<()> {
    #[mp::process_target]
    fn forks(lock: mp::Lock, semaphore: mp::Semaphore) -> bool {
        let (guard, permit) = (lock.lock().unwrap(), semaphore.acquire().unwrap());
        let spare = mp::Event::new().unwrap();
        #[expect(unsafe_code, reason = "a fork without exec, as a C library might do one")]
        // SAFETY: the process has one thread; the copy only drops, tries a lock and leaves.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                drop((guard, permit, spare));
                let held = matches!(lock.try_lock(), Err(mp::LockError::TimedOut));
                let permits = semaphore.value();
                #[expect(unsafe_code, reason = "the copy must not run exit functions")]
                // SAFETY: ends the process; takes an int.
                unsafe {
                    nix::libc::_exit(if held && permits == 0 { 7 } else { 1 })
                }
            }
            nix::unistd::ForkResult::Parent { child } => {
                let status = nix::sys::wait::waitpid(child, None).unwrap();
                let fine = status == nix::sys::wait::WaitStatus::Exited(child, 7);
                // What the copy dropped is not given out to others.
                let others: Vec<_> = (0..10).map(|_| mp::Event::new().unwrap()).collect();
                others.iter().for_each(mp::Event::set);
                fine && lock.is_locked() && semaphore.value() == 0 && !spare.is_set()
            }
        }
    }

    let _watchdog = watchdog();
    let (lock, semaphore) = (mp::Lock::new()?, mp::Semaphore::new(1)?);
    assert!(mp::spawn(forks, (lock.clone(), semaphore.clone()))?.join()?);
    assert!(!lock.is_locked());
    assert_eq!(semaphore.value(), 1);
    Ok(())
}

#[test]
fn an_rlock_is_taken_again_and_given_back_as_often() -> mp::Result<()> {
    #[mp::process_target]
    fn is_refused(lock: mp::RLock) -> bool {
        matches!(lock.try_lock(), Err(mp::LockError::TimedOut))
    }

    let _watchdog = watchdog();
    let lock = mp::RLock::new()?;
    let guards = [lock.lock()?, lock.try_lock()?, lock.lock_timeout(SHORT)?];
    for guard in guards {
        assert!(mp::spawn(is_refused, (lock.clone(),))?.join()?);
        drop(guard);
    }
    assert!(!mp::spawn(is_refused, (lock.clone(),))?.join()?);
    Ok(())
}

#[test]
fn a_semaphore_counts() -> mp::Result<()> {
    let semaphore = mp::Semaphore::new(2)?;
    let (one, two) = (semaphore.acquire()?, semaphore.acquire_timeout(SHORT)?);
    assert!(semaphore.is_locked());
    assert!(semaphore.try_acquire().unwrap_err().is_timed_out());
    let start = Instant::now();
    assert!(semaphore.acquire_timeout(SHORT).unwrap_err().is_timed_out());
    assert!(start.elapsed() >= SHORT);
    drop(one);
    assert_eq!(semaphore.value(), 1);
    two.forget();
    assert_eq!(semaphore.value(), 1);
    semaphore.release()?;
    semaphore.release()?;
    assert_eq!(semaphore.value(), 3, "one more than ever");
    assert!(mp::Semaphore::new(1 << 31).unwrap_err().is_invalid_input());
    let full = mp::Semaphore::new((1 << 31) - 1)?;
    assert!(full.release().unwrap_err().is_invalid_input());
    let bounded = mp::BoundedSemaphore::new(1)?;
    assert!(bounded.release().unwrap_err().is_invalid_input());
    // Given back twice: by hand, and by the guard.
    let permit = bounded.acquire()?;
    bounded.release()?;
    drop(permit);
    assert_eq!(bounded.value(), 1);
    Ok(())
}

#[mp::process_target]
fn keeps_permits(semaphore: mp::Semaphore, taken: mp::Event) {
    let _permits = [semaphore.acquire().unwrap(), semaphore.acquire().unwrap()];
    semaphore.acquire().unwrap().forget();
    taken.set();
    super::support::wait_for_ever();
}

#[test]
fn permits_of_the_dead_come_back_but_not_the_forgotten_ones() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (semaphore, taken) = (mp::Semaphore::new(3)?, mp::Event::new()?);
    let child = mp::spawn(keeps_permits, (semaphore.clone(), taken.clone()))?;
    taken.wait();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.acquire().map(mp::SemaphoreGuard::forget));
        child.kill()?;
        waiter.join().unwrap()
    })?;
    child.join().unwrap_err();
    semaphore.try_acquire()?.forget();
    assert!(semaphore.try_acquire().is_err());
    Ok(())
}

#[test]
fn who_comes_first_finds_the_permits_of_the_dead() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (semaphore, taken) = (mp::Semaphore::new(3)?, mp::Event::new()?);
    let child = mp::spawn(keeps_permits, (semaphore.clone(), taken.clone()))?;
    taken.wait();
    assert!(semaphore.try_acquire().is_err());
    child.kill()?;
    child.join().unwrap_err();
    drop(semaphore.try_acquire()?);
    assert_eq!(semaphore.value(), 2);
    Ok(())
}

#[mp::process_target]
fn waits_to_be_told(condition: mp::Condition, woken: mp::RawValue<AtomicU32>) -> mp::Result<()> {
    let mut guard = condition.lock()?;
    let again = condition.lock()?; // given back for the wait, however often it was taken
    condition.wait(&mut guard)?;
    woken.fetch_add(1, SeqCst);
    drop(again);
    Ok(())
}

#[test]
fn notify_wakes_as_many_as_it_is_told() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (condition, woken) = (mp::Condition::new()?, mp::RawValue::<AtomicU32>::new(0)?);
    condition.notify(3); // nobody waits: it is not kept
    let children: Vec<_> =
        (0..4).map(|_| mp::spawn(waits_to_be_told, (condition.clone(), woken.clone()))).collect::<Result<_, _>>()?;
    eventually("all to wait", || format!("{condition:?}").contains("waiting: 4"));
    eventually("all to sleep", || children.iter().all(|child| is_waiting(child.pid())));
    let guard = condition.lock()?;
    condition.notify(0);
    condition.notify(2);
    assert_eq!(woken.load(SeqCst), 0, "they need the lock");
    drop(guard);
    eventually("two to go on", || woken.load(SeqCst) == 2);
    eventually("two to be left", || format!("{condition:?}").contains("waiting: 2"));
    condition.notify_all();
    for child in children {
        child.join()??;
    }
    Ok(())
}

#[test]
fn a_condition_waits_no_longer_than_it_is_told() -> mp::Result<()> {
    let lock = mp::Lock::new()?;
    let condition = mp::Condition::with_lock(&lock)?;
    let mut guard = lock.lock()?;
    let start = Instant::now();
    assert!(!condition.wait_timeout(&mut guard, SHORT)?);
    assert!(!condition.wait_for_timeout(&mut guard, SHORT, || false)?);
    assert!(start.elapsed() >= SHORT * 2);
    assert!(condition.wait_for_timeout(&mut guard, Duration::ZERO, || true)?);
    assert!(lock.is_locked());
    let other = mp::Lock::new()?;
    let mut others = other.lock()?;
    assert!(condition.wait(&mut others).unwrap_err().is_invalid_input());
    Ok(())
}

#[test]
fn who_waits_for_a_condition_hears_of_a_death_with_its_lock() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (lock, held) = (mp::Lock::new()?, mp::Event::new()?);
    let condition = mp::Condition::with_lock(&lock)?;
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut guard = lock.lock().unwrap();
            condition.wait(&mut guard).unwrap_err()
        });
        eventually("it to wait", || format!("{condition:?}").contains("waiting: 1"));
        let child = mp::spawn(dies_holding, (lock.clone(), held.clone()))?;
        child.join().unwrap_err();
        assert!(waiter.join().unwrap().is_owner_died());
        Ok(())
    })
}

#[test]
fn a_set_that_is_cleared_at_once_still_wakes() -> mp::Result<()> {
    let _watchdog = watchdog();
    let event = mp::Event::new()?;
    for _ in 0..50 {
        thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            let event = &event;
            let waiter = scope.spawn(move || {
                tell.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
                event.wait_timeout(Duration::from_secs(60))
            });
            let waiter_is = told.recv().unwrap();
            eventually("it to wait", || is_waiting(waiter_is));
            event.set();
            event.clear();
            assert!(waiter.join().unwrap(), "it was set, be it for a moment");
        });
    }
    assert!(!event.is_set());
    assert!(!event.wait_timeout(SHORT));
    Ok(())
}

#[test]
fn an_event_wakes_all() -> mp::Result<()> {
    #[mp::process_target]
    fn waits(event: mp::Event) -> bool {
        event.wait();
        event.is_set()
    }

    let _watchdog = watchdog();
    let event = mp::Event::new()?;
    let children: Vec<_> = (0..4).map(|_| mp::spawn(waits, (event.clone(),))).collect::<Result<_, _>>()?;
    eventually("all to sleep", || children.iter().all(|child| is_waiting(child.pid())));
    event.set();
    event.set();
    for child in children {
        assert!(child.join()?);
    }
    event.wait();
    event.clear();
    event.clear();
    assert!(!event.is_set());
    Ok(())
}

#[test]
fn a_barrier_counts_its_parties_and_acts_once() -> mp::Result<()> {
    #[mp::process_target]
    fn meets(barrier: mp::Barrier, acted: mp::RawValue<AtomicU32>, rounds: u32) -> Vec<u32> {
        (0..rounds)
            .map(|round| {
                let index = barrier.wait_with(|| acted.store(acted.load(SeqCst) + 1, SeqCst)).unwrap();
                assert!(acted.load(SeqCst) > round, "nobody goes on before the action is done");
                index
            })
            .collect()
    }

    let _watchdog = watchdog();
    let (barrier, acted) = (mp::Barrier::new(4)?, mp::RawValue::<AtomicU32>::new(0)?);
    assert_eq!((barrier.parties(), barrier.waiting(), barrier.is_broken()), (4, 0, false));
    let start = |_| mp::spawn(meets, (barrier.clone(), acted.clone(), 300));
    let children: Vec<_> = (0..4).map(start).collect::<Result<_, _>>()?;
    let indices: Vec<_> = children.into_iter().map(|child| child.join()).collect::<Result<_, _>>()?;
    for round in 0..300 {
        let seen: BTreeSet<_> = indices.iter().map(|of_one| of_one[round]).collect();
        assert_eq!(seen, BTreeSet::from([0, 1, 2, 3]), "round {round}");
    }
    assert_eq!(acted.load(SeqCst), 300);
    assert!(mp::Barrier::new(0).unwrap_err().is_invalid_input());
    Ok(())
}

#[test]
fn a_barrier_breaks_for_all() -> mp::Result<()> {
    use mp::BrokenBarrier::{Aborted, ActionPanicked, OthersTimedOut, Reset, TimedOut};

    let _watchdog = watchdog();
    let barrier = mp::Barrier::with_timeout(3, Duration::from_secs(100))?;
    let results = Mutex::new(Vec::new());
    let with_one_waiting = |then: &dyn Fn()| {
        thread::scope(|scope| {
            scope.spawn(|| results.lock().unwrap().push(barrier.wait().unwrap_err()));
            eventually("one to wait", || barrier.waiting() == 1);
            then();
        });
        results.lock().unwrap().pop().unwrap()
    };
    assert_eq!(with_one_waiting(&|| assert_eq!(barrier.wait_timeout(SHORT), Err(TimedOut))), OthersTimedOut);
    assert!(barrier.is_broken());
    assert_eq!(barrier.wait(), Err(OthersTimedOut));
    barrier.reset();
    assert_eq!(with_one_waiting(&|| barrier.abort()), Aborted);
    barrier.reset();
    assert_eq!(with_one_waiting(&|| barrier.reset()), Reset);
    assert!(!barrier.is_broken());
    let alone = mp::Barrier::with_timeout(2, SHORT)?;
    assert_eq!(alone.wait(), Err(TimedOut));
    assert!(mp::Error::from(TimedOut).is_timed_out());
    assert!(mp::Error::from(Aborted).is_broken_barrier());
    let panicking = mp::Barrier::new(1)?;
    let caught =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panicking.wait_with(|| panic!("in the action"))));
    assert!(caught.is_err());
    assert_eq!(panicking.wait(), Err(ActionPanicked));
    Ok(())
}
