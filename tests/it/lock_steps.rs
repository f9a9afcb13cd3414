//! A process is killed at each step of what it does in shared memory; the others go on as if it had been before or after.

use std::time::Duration;

use multiprocess as mp;

use super::support::{eventually, is_waiting, watchdog};

const LONG: Duration = Duration::from_secs(60);

#[mp::process_target]
fn makes_and_drops() {
    // The first in a process makes its memory; then each step is passed here.
    let lock = mp::Lock::new().unwrap();
    drop(mp::Event::new().unwrap());
    drop(lock);
}

#[mp::process_target]
fn takes_over(locks: Vec<mp::Lock>, answer: mp::Sender<mp::Lock>) {
    for lock in locks {
        answer.send(&lock).ok();
    }
}

/// In a process of its own: its memory is looked at when all is over.
#[mp::process_target]
fn dies_in_the_memory_of_another(step: String) -> (bool, (usize, usize, u32)) {
    let kept = mp::Value::new([7_u64; 20]).unwrap();
    let locks: Vec<_> = (0..10).map(|_| mp::Lock::new().unwrap()).collect();
    let (sender, receiver) = mp::channel().unwrap();
    let child = mp::Process::new(takes_over, (locks, sender)).env("MULTIPROCESS_FAULT", &step).start().unwrap();
    let died = child.join().is_err();
    drop((child, receiver));
    for _ in 0..100 {
        let other = mp::Value::new([1_u64; 20]).unwrap();
        assert_eq!(other.get(), [1; 20]);
        drop(mp::Lock::new().unwrap().lock().unwrap());
    }
    assert_eq!(kept.get(), [7; 20]);
    drop(kept);
    (died, mp::__private::shared_census().unwrap())
}

#[test]
fn a_death_at_any_step_in_anothers_memory_leaves_it_whole() -> mp::Result<()> {
    let _watchdog = watchdog();
    let steps = [
        "holder-used",
        "record-handed-over",
        "record-linked",
        "record-cleared",
        "record-unlinked",
        "block-cleared",
        "mutex-taken",
        "mutex-entered",
        "mutex-left",
        "mutex-free",
    ];
    for step in steps {
        let (died, census) = mp::spawn(dies_in_the_memory_of_another, (step.to_owned(),))?.join()?;
        assert_eq!(census, (0, 0, 1), "{step}");
        // The sender of these is this process's child; what the child itself frees last is not its own to free.
        assert!(died || step == "block-cleared", "{step} was not passed");
    }
    Ok(())
}

#[test]
fn a_death_at_any_step_in_its_own_memory_harms_nobody() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["slab-classed", "slab-counted", "block-taken", "block-made", "record-linked", "block-cleared"] {
        let error = mp::Process::new(makes_and_drops, ()).env("MULTIPROCESS_FAULT", step).start()?.join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Killed(_)), "{step}: {error}");
    }
    Ok(())
}

#[mp::process_target]
fn uses_a_semaphore(semaphore: mp::Semaphore) {
    let permit = semaphore.acquire().unwrap();
    drop(permit);
    semaphore.release().unwrap();
}

#[test]
fn permits_are_whole_wherever_their_holder_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["permit-journaled", "permit-staked", "permit-changed", "permit-to-be-announced"] {
        let semaphore = mp::Semaphore::new(2)?;
        let child = mp::Process::new(uses_a_semaphore, (semaphore.clone(),)).env("MULTIPROCESS_FAULT", step).start()?;
        assert!(child.join().is_err(), "{step}");
        let all = [semaphore.acquire_timeout(LONG)?, semaphore.acquire_timeout(LONG)?];
        assert!(semaphore.try_acquire().is_err(), "{step}: a permit too many");
        drop(all);
        assert_eq!(semaphore.value(), 2, "{step}");
    }
    Ok(())
}

#[mp::process_target]
fn releases(semaphore: mp::Semaphore) {
    semaphore.release().unwrap();
}

#[test]
fn who_waits_for_a_permit_gets_it_though_nobody_lived_to_wake_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["permit-to-be-announced", "permit-before-wake"] {
        let semaphore = mp::Semaphore::new(0)?;
        std::thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            let waiter = scope.spawn({
                let semaphore = &semaphore;
                move || {
                    tell.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
                    semaphore.acquire_timeout(LONG).map(mp::SemaphoreGuard::forget)
                }
            });
            let waiter_is = told.recv().unwrap();
            eventually("it to wait", || is_waiting(waiter_is));
            let child = mp::Process::new(releases, (semaphore.clone(),)).env("MULTIPROCESS_FAULT", step).start()?;
            assert!(child.join().is_err(), "{step}");
            waiter.join().unwrap()
        })?;
    }
    Ok(())
}

#[mp::process_target]
fn takes(lock: mp::Lock) {
    drop(lock.lock());
    drop(lock.lock());
}

#[test]
fn a_lock_is_free_wherever_its_taker_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["mutex-taken", "mutex-entered", "mutex-left", "mutex-free"] {
        let lock = mp::Lock::new()?;
        let child = mp::Process::new(takes, (lock.clone(),)).env("MULTIPROCESS_FAULT", step).start()?;
        assert!(child.join().is_err(), "{step}");
        let taken = lock.lock_timeout(LONG).or_else(mp::LockError::recover);
        assert!(taken.is_ok(), "{step}");
    }
    Ok(())
}
