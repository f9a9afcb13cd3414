//! Pools with a lot to do, with little to do it with, for callers of all kinds, and with nothing to do.

use std::{
    future::Future,
    os::fd::OwnedFd,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::sys::signal::{Signal, raise};

use super::{
    pool::{pool, square},
    pool_ends::says_and_dies,
    support::{eventually, gate, is_running, wait_for, wait_for_ever, watchdog},
};

#[mp::process_target]
fn many_with_few_descriptors() -> u64 {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, 256, 256).unwrap();
    let pool = pool(2);
    let tasks: Vec<_> = (0..100_000).map(|x| pool.submit(square, (x,)).unwrap()).collect();
    tasks.iter().map(|task| task.join().unwrap() % 7).sum()
}

#[test]
fn a_hundred_thousand_pending_tasks_need_few_descriptors() -> mp::Result<()> {
    let _watchdog = watchdog();
    let sum = (0..100_000_u64).map(|x| x * x % 7).sum::<u64>();
    assert_eq!(mp::spawn(many_with_few_descriptors, ())?.join()?, sum);
    Ok(())
}

#[mp::process_target]
fn reversed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[test]
fn arguments_and_results_may_be_large() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let bytes = |x: usize| (0..10 << 20).map(|y| (x + y * 31) as u8).collect::<Vec<_>>();
    for (result, x) in pool.imap(reversed, (0..10).map(bytes)).zip(0..) {
        assert!(result?.into_iter().rev().eq(bytes(x)));
    }
    let task = pool.submit(reversed, (bytes(3),))?;
    assert!(task.join()? == task.join()?);
    Ok(())
}

/// Uses all that it was given, and dies the first times.
#[mp::process_target]
fn uses_all(tried: mp::Value<u32>, lock: mp::Lock, queue: mp::QueueSender<u32>, file: mp::Handle<OwnedFd>) -> u32 {
    let _guard = lock.lock().unwrap_or_else(|error| error.recover().unwrap());
    wait_for(&file);
    queue.put(&tried.get()).unwrap();
    if tried.fetch_add(1).unwrap() % 3 != 2 {
        raise(Signal::SIGKILL).unwrap();
    }
    std::process::id()
}

#[test]
fn tasks_with_handles_queues_and_locks_are_tried_again() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let (tried, lock, (sender, told)) = (mp::Value::new(0)?, mp::Lock::new()?, mp::Queue::unbounded()?.split());
    let tasks = pool.with(mp::TaskOptions::new().retries(2));
    for round in 0..5 {
        let (closed, opens) = gate();
        drop(opens);
        tasks.call(uses_all, (tried.clone(), lock.clone(), sender.clone(), closed))?;
        assert_eq!(told.drain().map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2].map(|try_| round * 3 + try_));
    }
    Ok(())
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unparks(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn tasks_are_futures_and_are_told_of_everything() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for x in 0..2_000 {
        assert_eq!(block_on(pool.submit(square, (x,))?)?, x * x);
    }
    assert!(matches!(block_on(pool.submit(says_and_dies, (1,))?), Err(mp::TaskError::Aborted(_))));
    let stays = pool.submit(wait_for_ever, ())?;
    thread::scope(|scope| {
        let waits = scope.spawn(|| block_on(stays));
        pool.terminate();
        assert!(waits.join().unwrap().unwrap_err().is_cancelled());
    });
    Ok(())
}

#[mp::process_target]
fn busy_parent(told: mp::QueueSender<u32>) {
    let pool = pool(3);
    pool.pids().iter().for_each(|pid| told.put(pid).unwrap());
    pool.imap(square, 0..).for_each(|result| assert!(result.is_ok()));
}

#[test]
fn no_worker_survives_a_parent_that_is_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, told) = mp::Queue::unbounded()?.split();
    let parent = mp::spawn(busy_parent, (sender,))?;
    let pids = [0; 3].map(|_| told.get().unwrap());
    parent.kill()?;
    assert!(matches!(parent.join(), Err(mp::JoinError::Killed(_))));
    eventually("the end of the workers", || pids.iter().all(|pid| !is_running(*pid)));
    Ok(())
}

/// How long all threads of a process have run, in nanoseconds. `proc_pid_schedstat`
fn ran(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).unwrap();
    tasks.map(|task| of(task.unwrap()).split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[mp::process_target]
fn idles() -> u64 {
    let pool = pool(2);
    pool.map(square, 0..10_000).unwrap();
    pool.call(square, (1,)).unwrap();
    thread::sleep(Duration::from_millis(200));
    let all = || [&[std::process::id()], &pool.pids()[..]].concat().into_iter().map(ran).sum::<u64>();
    let (before, start) = (all(), Instant::now());
    thread::sleep(Duration::from_secs(1));
    assert!(start.elapsed() >= Duration::from_secs(1));
    all() - before
}

#[test]
fn an_idle_pool_takes_no_processor_time() -> mp::Result<()> {
    let _watchdog = watchdog();
    let nanoseconds = mp::spawn(idles, ())?.join()?;
    assert!(nanoseconds < 5_000_000, "{nanoseconds} ns");
    Ok(())
}
