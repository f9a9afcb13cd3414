//! Tasks of a pool that are stopped: by their time limit, by a cancel, by a joiner that wants no more.

use std::{
    cell::Cell,
    process::Command,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::{
    libc,
    sys::signal::{SigHandler, Signal, signal},
};

use super::{
    pool::{pid_of, pool, square},
    support::{eventually, is_running, wait_for_ever, watchdog},
};

#[mp::process_target]
fn waits_for(event: mp::Event) -> u32 {
    event.wait();
    std::process::id()
}

#[mp::process_target]
fn tells_and_stays(told: mp::QueueSender<u32>) {
    told.put(&std::process::id()).unwrap();
    wait_for_ever();
}

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn the_clock_of_a_task_starts_when_it_runs() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(1);
    let go = mp::Event::new()?;
    let first = pool.submit(waits_for, (go.clone(),))?;
    let strict = pool.with(mp::TaskOptions::new().timeout(SHORT));
    let behind: Vec<_> = (0..5).map(|x| strict.submit(square, (x,))).collect::<mp::Result<_>>()?;
    assert!(!first.wait_timeout(SHORT * 2));
    go.set();
    first.join()?;
    for (task, x) in behind.iter().zip(0..) {
        assert_eq!(task.join()?, x * x);
    }
    assert_eq!(pool.restarts(), 0);
    Ok(())
}

#[test]
fn what_takes_too_long_is_stopped_and_tried_again_only_if_asked() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for (times, asked) in [(0, true), (2, false), (2, true)] {
        let retry = mp::Retry::times(times).after_timeouts(asked);
        let strict = pool.with(mp::TaskOptions::new().timeout(SHORT / 4).retry(retry));
        let (sender, told) = mp::Queue::unbounded()?.split();
        let start = Instant::now();
        let error = strict.call(tells_and_stays, (sender,)).unwrap_err();
        assert!(start.elapsed() >= SHORT / 4);
        let made = if asked { times + 1 } else { 1 };
        assert!(matches!(&error, mp::TaskError::TimedOut(_, most) if *most == SHORT / 4), "{error}");
        assert_eq!(error.facts().exit_status().unwrap().signal(), Some(libc::SIGTERM));
        let pids: Vec<u32> = told.drain().map(Result::unwrap).collect();
        assert_eq!((pids.len() as u32, error.facts().attempt()), (made, made));
        assert!(pids.into_iter().all(|pid| !is_running(pid)));
    }
    // The others of a map are none the worse for it.
    let strict = pool.with(mp::TaskOptions::new().timeout(SHORT));
    let results: Vec<_> = strict.imap(stays_at, 0..40).collect();
    for (result, x) in results.iter().zip(0..) {
        match result {
            Ok(value) => assert!(*value == x && x != 13),
            Err(error) => assert!(x == 13 && matches!(error, mp::TaskError::TimedOut(..)), "{x}: {error}"),
        }
    }
    Ok(())
}

#[mp::process_target]
fn stays_at(x: u64) -> u64 {
    if x == 13 {
        wait_for_ever();
    }
    x
}

/// Does not care for SIGTERM, and has somebody else in its group.
#[mp::process_target]
fn stubborn(told: mp::QueueSender<u32>) {
    #[expect(unsafe_code, reason = "there is no other way to ignore a signal")]
    // SAFETY: no handler is installed.
    unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.unwrap();
    starts_somebody(told);
}

#[mp::process_target]
fn starts_somebody(told: mp::QueueSender<u32>) {
    #[expect(clippy::zombie_processes, reason = "the point is that it ends with the worker's group")]
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    told.put(&child.id()).unwrap();
    wait_for_ever();
}

#[test]
fn who_ignores_sigterm_is_killed_with_all_that_it_started() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).grace(SHORT).build()?;
    let strict = pool.with(mp::TaskOptions::new().timeout(SHORT));
    let (sender, told) = mp::Queue::unbounded()?.split();
    let start = Instant::now();
    let error = strict.call(stubborn, (sender.clone(),)).unwrap_err();
    assert!(start.elapsed() >= SHORT * 2, "the grace is kept: {:?}", start.elapsed());
    assert!(matches!(error, mp::TaskError::TimedOut(..)), "{error}");
    assert_eq!(error.facts().exit_status().unwrap().signal(), Some(libc::SIGKILL));
    let mut started = vec![told.get().unwrap()];
    let error = strict.call(starts_somebody, (sender.clone(),)).unwrap_err();
    assert!(matches!(error, mp::TaskError::TimedOut(..)), "{error}");
    started.push(told.get().unwrap());
    let task = pool.submit(stubborn, (sender.clone(),))?;
    started.push(told.get().unwrap());
    assert!(task.cancel());
    assert!(task.join().unwrap_err().is_cancelled());
    let task = pool.submit(stubborn, (sender,))?;
    started.push(told.get().unwrap());
    drop(pool);
    assert!(task.join().unwrap_err().is_cancelled());
    eventually("the end of what tasks have started", || started.iter().all(|pid| !is_running(*pid)));
    Ok(())
}

#[test]
fn a_task_is_cancelled_before_and_while_it_runs_and_not_after() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(1);
    let (sender, told) = mp::Queue::unbounded()?.split();
    let running = pool.submit(tells_and_stays, (sender,))?;
    let queued: Vec<_> = (0..50).map(|x| pool.submit(square, (x,))).collect::<mp::Result<_>>()?;
    let pid = told.get().unwrap();
    for task in queued.iter().step_by(2) {
        assert!(task.cancel());
        // At once, though its worker is busy.
        assert!(task.join().unwrap_err().is_cancelled());
    }
    assert!(is_running(pid) && pool.restarts() == 0, "what was not begun costs no worker");
    assert!(running.cancel());
    let error = running.join().unwrap_err();
    assert!(error.is_cancelled() && !is_running(pid), "{error}");
    for (task, x) in queued.iter().zip(0..).skip(1).step_by(2) {
        assert_eq!(task.join()?, x * x);
        assert!(!task.cancel(), "it is done");
        assert_eq!(task.join()?, x * x);
    }
    assert_eq!(pool.restarts(), 1);
    Ok(())
}

#[mp::process_target]
fn waits_or_fails(x: u64, told: mp::QueueSender<u32>, here: mp::Event) -> u64 {
    match x {
        0 => {
            told.put(&std::process::id()).unwrap();
            here.set();
            wait_for_ever();
        }
        5 => {
            here.wait();
            panic!("five is no good");
        }
        _ => {}
    }
    x
}

#[test]
fn fail_fast_and_a_dropped_imap_end_what_runs_and_take_no_more() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let (sender, told) = mp::Queue::unbounded()?.split();
    let pulled = Cell::new(0);
    let input = |here: mp::Event| (0..).map(move |x| (x, here.clone())).inspect(|_| pulled.set(pulled.get() + 1));
    let items = |here| input(here).map(|(x, here)| (x, sender.clone(), here));
    let error = pool.istarmap_unordered(waits_or_fails, items(mp::Event::new()?)).fail_fast().unwrap_err();
    assert_eq!((error.facts().index(), error.panic().unwrap().message()), (5, "five is no good"));
    let mut pids = vec![told.get().unwrap()];
    let mut results = pool.istarmap_unordered(waits_or_fails, items(mp::Event::new()?));
    for _ in 0..5 {
        results.next();
    }
    pids.push(told.get().unwrap());
    drop(results);
    let so_many = pulled.get();
    assert_eq!(pool.map(square, 0..100)?.len(), 100);
    eventually("the end of those that waited", || pids.iter().all(|pid| !is_running(*pid)));
    assert_eq!(pool.map(pid_of, 0..100)?.iter().filter(|pid| pids.contains(pid)).count(), 0);
    assert_eq!(pulled.get(), so_many);
    eventually("nothing to do", || pool.stats().pending + pool.stats().outstanding == 0);
    Ok(())
}
