//! Uncommon ways to hold, wait, send and die, each of which once broke something.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use multiprocess as mp;

use super::support::{eventually, is_waiting, owned, watchdog};

const LONG: Duration = Duration::from_secs(60);

#[mp::process_target]
fn takes_a_lock(lock: mp::Lock) {
    drop(lock.lock());
}

/// In a process of its own, so that nobody else is in its memory.
#[mp::process_target]
fn receives_after_a_death(step: String) -> Result<bool, String> {
    let (sender, receiver) = mp::channel::<mp::Lock>().unwrap();
    let (lock, other) = (mp::Lock::new().unwrap(), mp::Lock::new().unwrap());
    sender.send(&lock).unwrap();
    let child = mp::Process::new(takes_a_lock, (other,)).env("MULTIPROCESS_FAULT", &step).start().unwrap();
    let died = child.join().is_err();
    let received = receiver.recv().map_err(|error| format!("{error:?}"))?;
    drop(received.lock().unwrap());
    Ok(died)
}

#[test]
fn a_message_on_its_way_survives_a_death_in_the_arena() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["holder-used", "record-handed-over", "record-cleared"] {
        assert_eq!(mp::spawn(receives_after_a_death, (step.to_owned(),))?.join()?, Ok(true), "{step}");
    }
    Ok(())
}

#[mp::process_target]
fn takes_a_permit_for_ever(semaphore: mp::Semaphore, taken: mp::Event) {
    let _permit = semaphore.acquire().unwrap();
    taken.set();
    loop {
        thread::park();
    }
}

#[mp::process_target]
fn takes_a_permit(semaphore: mp::Semaphore) {
    drop(semaphore.acquire());
}

#[mp::process_target]
fn a_permit_after_two_deaths(step: String) -> (bool, bool) {
    let (semaphore, taken) = (mp::Semaphore::new(1).unwrap(), mp::Event::new().unwrap());
    let holder = mp::spawn(takes_a_permit_for_ever, (semaphore.clone(), taken.clone())).unwrap();
    taken.wait();
    holder.kill().unwrap();
    holder.join().unwrap_err();
    // It dies while it gives the permit of the first one back.
    let child =
        mp::Process::new(takes_a_permit, (semaphore.clone(),)).env("MULTIPROCESS_FAULT", &step).start().unwrap();
    let died = child.join().is_err();
    // What any growth of the arena, or 64 messages, do as well.
    mp::__private::shared_census().unwrap();
    (died, semaphore.acquire_timeout(LONG).is_ok())
}

#[test]
fn a_permit_comes_back_although_a_sweep_came_between() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["permit-journaled", "permit-staked", "permit-changed"] {
        assert_eq!(mp::spawn(a_permit_after_two_deaths, (step.to_owned(),))?.join()?, (true, true), "{step}");
    }
    Ok(())
}

#[mp::process_target]
fn another_ones_stake(step: String) -> (bool, bool) {
    let (first, second) = (mp::Semaphore::new(1).unwrap(), mp::Semaphore::new(1).unwrap());
    let taken = mp::Event::new().unwrap();
    let child = mp::Process::new(takes_a_permit, (first.clone(),)).env("MULTIPROCESS_FAULT", &step).start().unwrap();
    let died = child.join().is_err();
    mp::__private::shared_census().unwrap();
    let holder = mp::spawn(takes_a_permit_for_ever, (second.clone(), taken.clone())).unwrap();
    taken.wait();
    // Undoes what the first had begun.
    drop(first.acquire_timeout(LONG).unwrap());
    holder.kill().unwrap();
    holder.join().unwrap_err();
    (died, second.acquire_timeout(LONG).is_ok())
}

#[test]
fn a_death_in_one_semaphore_does_no_harm_to_another() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["permit-journaled", "permit-staked", "permit-changed"] {
        assert_eq!(mp::spawn(another_ones_stake, (step.to_owned(),))?.join()?, (true, true), "{step}");
    }
    Ok(())
}

/// All of it safe: the elements outlive the thread that holds the lock.
#[mp::process_target]
fn leaks_a_guard_and_ends_its_thread() -> bool {
    let array: &'static mp::Array<u32> = Box::leak(Box::new(mp::Array::new(4).unwrap()));
    let elements: &'static mut [u32] = thread::spawn(|| {
        let guard = Box::leak(Box::new(array.lock().unwrap()));
        &mut guard[..]
    })
    .join()
    .unwrap();
    let Some(mut other) = array.try_lock().or_else(mp::LockError::recover).ok() else { return false };
    elements[0] = 1;
    other[0] = 2;
    elements[0] == 2
}

#[test]
fn elements_are_never_lent_twice() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(!matches!(mp::spawn(leaks_a_guard_and_ends_its_thread, ())?.join(), Ok(true)), "two `&mut` to one element");
    Ok(())
}

#[test]
fn a_lock_that_its_condition_took_again_is_free_in_the_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    let lock = mp::Lock::new()?;
    let condition = mp::Condition::with_lock(&lock)?;
    let outer = lock.lock()?;
    let inner = condition.lock()?;
    drop(outer);
    assert!(lock.is_locked(), "somebody has a guard");
    drop(inner);
    drop(condition.lock()?);
    assert!(!lock.is_locked(), "nobody has a guard");
    Ok(())
}

#[mp::process_target]
fn takes_and_drops(handles: mp::Receiver<mp::Semaphore>) -> (usize, usize) {
    let mut before = 0;
    for _ in 0..20 {
        drop(handles.recv().unwrap());
        before = before.max(owned().memfds);
    }
    let mut last = 0;
    while let Ok(semaphore) = handles.recv() {
        drop(semaphore);
        last = owned().memfds;
    }
    (before, last)
}

#[test]
fn what_others_hold_is_unmapped_all_the_same() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel()?;
    let child = mp::spawn(takes_and_drops, (receiver,))?;
    let semaphore = mp::Semaphore::new(0)?;
    let ready = mp::Event::new()?;
    let waiter = mp::spawn(uses_up_a_permit, (semaphore.clone(), ready.clone()))?;
    ready.wait();
    eventually("the waiter to wait", || is_waiting(waiter.pid()));
    for _ in 0..300 {
        sender.send(&semaphore).unwrap();
    }
    drop(sender);
    let (before, last) = child.join()?;
    semaphore.release()?;
    assert!(waiter.join()?);
    assert!(last < 10, "{before} mappings, then {last}");
    Ok(())
}

#[mp::process_target]
fn panics_in_its_action(barrier: mp::Barrier, left: mp::Event) {
    catch_unwind(AssertUnwindSafe(|| barrier.wait_with(|| panic!("on purpose")))).unwrap_err();
    left.set();
    loop {
        thread::park();
    }
}

#[test]
fn who_has_left_a_barrier_does_not_break_it_by_ending() -> mp::Result<()> {
    let _watchdog = watchdog();
    let barrier = mp::Barrier::new(2)?;
    thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait());
        eventually("the other to wait", || barrier.waiting() == 1);
        let left = mp::Event::new().unwrap();
        let child = mp::spawn(panics_in_its_action, (barrier.clone(), left.clone())).unwrap();
        left.wait();
        child.kill().unwrap();
        child.join().unwrap_err();
        assert_eq!(other.join().unwrap(), Err(mp::BrokenBarrier::ActionPanicked));
        barrier.reset();
        let other = scope.spawn(|| barrier.wait());
        barrier.wait().unwrap();
        other.join().unwrap().unwrap();
    });
    Ok(())
}

#[test]
fn a_barrier_may_wait_for_ever() -> mp::Result<()> {
    let _watchdog = watchdog();
    let barrier = mp::Barrier::with_timeout(2, Duration::MAX)?;
    thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait());
        eventually("the other to wait, or not", || barrier.waiting() == 1 || barrier.is_broken());
        barrier.wait().unwrap();
        other.join().unwrap().unwrap();
    });
    Ok(())
}

#[mp::process_target]
fn waits_at(barrier: mp::Barrier) -> Result<u32, String> {
    barrier.wait().map_err(|error| error.to_string())
}

#[test]
fn a_round_that_was_broken_is_never_one_that_passed() -> mp::Result<()> {
    let _watchdog = watchdog();
    let barrier = mp::Barrier::new(2)?;
    let child = mp::spawn(waits_at, (barrier.clone(),))?;
    eventually("the child to wait", || barrier.waiting() == 1 && is_waiting(child.pid()));
    stop(child.pid());
    barrier.abort();
    barrier.reset();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..63).for_each(|_| assert!(barrier.wait().is_ok())));
        }
    });
    go_on(child.pid());
    assert!(child.join()?.is_err(), "it never met anyone");
    Ok(())
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

fn stop(pid: u32) {
    signal(pid, nix::sys::signal::Signal::SIGSTOP);
    let is_stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ");
    eventually("it to stop", is_stopped);
}

fn go_on(pid: u32) {
    signal(pid, nix::sys::signal::Signal::SIGCONT);
}

/// Once it is ready, it sleeps for nothing but the permit.
#[mp::process_target]
fn uses_up_a_permit(semaphore: mp::Semaphore, ready: mp::Event) -> bool {
    ready.set();
    semaphore.acquire_timeout(LONG).is_ok_and(|permit| {
        permit.forget();
        true
    })
}

#[test]
fn a_stopped_waiter_keeps_no_permit_from_the_others() -> mp::Result<()> {
    let _watchdog = watchdog();
    let semaphore = mp::Semaphore::new(0)?;
    let ready = mp::Event::new()?;
    let stopped = mp::spawn(uses_up_a_permit, (semaphore.clone(), ready.clone()))?;
    ready.wait();
    eventually("the first to wait", || is_waiting(stopped.pid()));
    stop(stopped.pid());
    ready.clear();
    let child = mp::spawn(uses_up_a_permit, (semaphore.clone(), ready.clone()))?;
    ready.wait();
    eventually("the other to wait", || is_waiting(child.pid()));
    semaphore.release()?;
    let taken = child.join();
    go_on(stopped.pid());
    stopped.kill().unwrap();
    assert!(taken?, "there was a permit");
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(8192))]
struct Large([u64; 1024]);

#[mp::process_target]
fn looks_at(array: mp::Array<Large>) -> Vec<u64> {
    array.lock().unwrap().iter().map(|large| large.0[0]).collect()
}

#[test]
fn elements_have_the_same_place_in_all_processes() -> mp::Result<()> {
    let _watchdog = watchdog();
    for _ in 0..20 {
        let array = match mp::Array::from_slice(&[Large([1; 1024]), Large([2; 1024])]) {
            Ok(array) => array,
            Err(error) => {
                assert!(error.is_invalid_input());
                return Ok(());
            }
        };
        assert_eq!(mp::spawn(looks_at, (array,))?.join()?, [1, 2]);
    }
    Ok(())
}

#[mp::process_target]
fn waits_for_ever(condition: mp::Condition, waits: mp::Event) {
    let mut guard = condition.lock().unwrap();
    waits.set();
    condition.wait_for(&mut guard, || false).unwrap();
}

#[mp::process_target]
fn has_waiters_killed() -> (usize, usize, u32) {
    let condition = mp::Condition::new().unwrap();
    for _ in 0..20 {
        let waits = mp::Event::new().unwrap();
        let child = mp::spawn(waits_for_ever, (condition.clone(), waits.clone())).unwrap();
        waits.wait();
        drop(condition.lock().or_else(mp::LockError::recover).unwrap()); // it waits
        child.kill().unwrap();
        child.join().unwrap_err();
        condition.notify_all();
    }
    mp::__private::shared_census().unwrap()
}

#[test]
fn nothing_is_left_of_waiters_that_were_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (_, _, holders) = mp::spawn(has_waiters_killed, ())?.join()?;
    assert_eq!(holders, 1, "dead processes keep their places");
    Ok(())
}

#[mp::process_target]
fn passes_into_another_namespace(lock: mp::Lock) -> Option<String> {
    // Not everyone may.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID).ok()?;
    let refused = mp::spawn(takes_a_lock, (lock,)).and_then(|child| Ok(child.join()?));
    Some(refused.map_or_else(|error| error.to_string(), |()| "it was taken".to_owned()))
}

#[test]
fn a_lock_of_another_pid_namespace_is_refused() -> mp::Result<()> {
    let _watchdog = watchdog();
    match mp::spawn(passes_into_another_namespace, (mp::Lock::new()?,))?.join()? {
        Some(error) => assert!(error.contains("PID namespace"), "{error}"),
        None => println!("not tried: this user may not make a PID namespace"),
    }
    Ok(())
}
