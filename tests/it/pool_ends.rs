//! How pools begin and end, with whatever is under way; and what they do within their limits.

use std::{
    os::unix::fs::FileExt,
    process::exit,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use multiprocess as mp;
use nix::{
    sys::signal::{Signal, kill, raise},
    unistd::Pid,
};

use super::{
    pool::{pid_of, pool, square},
    support::{eventually, is_running, wait_for_ever, watchdog},
};

#[mp::process_target]
fn tells_and_waits(told: mp::QueueSender<u32>, go: mp::Event) -> u32 {
    told.put(&std::process::id()).unwrap();
    go.wait();
    7
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

/// A way to end a pool, and whether what runs is done, and what waits.
type End = (&'static str, fn(&mp::Pool), bool, bool);

const ENDS: [End; 5] = [
    ("close, join", |pool| (pool.close(), pool.join().unwrap()).1, true, true),
    ("shutdown", |pool| pool.shutdown(false).unwrap(), true, true),
    ("shutdown and cancel", |pool| pool.shutdown(true).unwrap(), true, false),
    ("terminate, join", |pool| (pool.terminate(), pool.join().unwrap()).1, false, false),
    ("close, terminate, join", |pool| (pool.close(), pool.terminate(), pool.join().unwrap()).2, false, false),
];

#[test]
fn whoever_waits_while_a_pool_ends_is_told() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (name, end, is_done, are_done) in ENDS {
        let pool = pool(2);
        let (go, (sender, told)) = (mp::Event::new()?, mp::Queue::unbounded()?.split());
        let submit = |_| pool.submit(tells_and_waits, (sender.clone(), go.clone()));
        let running: Vec<_> = (0..2).map(submit).collect::<mp::Result<_>>()?;
        let pids = [told.get().unwrap(), told.get().unwrap()];
        let waiting: Vec<_> = (0..20).map(|x| pool.submit(square, (x,))).collect::<mp::Result<_>>()?;
        thread::scope(|scope| {
            let joins: Vec<_> = running.iter().map(|task| scope.spawn(|| task.join())).collect();
            let others: Vec<_> = waiting.iter().map(|task| scope.spawn(|| task.join())).collect();
            if is_done {
                // They go on when the pool is closed, which a submit sees.
                let (pool, go) = (&pool, &go);
                scope.spawn(move || {
                    eventually("the close", || pool.submit(square, (0,)).is_err());
                    go.set();
                });
                end(pool);
            } else {
                end(&pool);
            }
            for join in joins {
                match join.join().unwrap() {
                    Ok(value) => assert!(is_done && value == 7, "{name}"),
                    Err(error) => assert!(!is_done && error.is_cancelled(), "{name}: {error}"),
                }
            }
            for (join, x) in others.into_iter().zip(0..) {
                match join.join().unwrap() {
                    Ok(value) => assert!(are_done && value == x * x, "{name}"),
                    Err(error) => assert!(!are_done && error.is_cancelled(), "{name}: {error}"),
                }
            }
        });
        drop(pool);
        assert!(pids.iter().all(|pid| !is_running(*pid)), "{name}");
        // They stay settled.
        assert!(running.iter().all(|task| task.is_ready() && task.join().is_ok() == is_done));
    }
    Ok(())
}

#[test]
fn a_dropped_pool_cancels_what_was_submitted() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let tasks: Vec<_> = (0..50).map(|_| pool.submit(wait_for_ever, ())).collect::<mp::Result<_>>()?;
    let pids = pool.pids();
    thread::scope(|scope| {
        let joins: Vec<_> = tasks.iter().map(|task| scope.spawn(|| task.join())).collect();
        drop(pool);
        assert!(pids.iter().all(|pid| !is_running(*pid)));
        assert!(joins.into_iter().all(|join| join.join().unwrap().unwrap_err().is_cancelled()));
    });
    Ok(())
}

#[test]
fn an_ended_pool_takes_nothing_and_an_open_one_is_not_joined() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).name("ended").build()?;
    let error = pool.join().unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("'ended' is open"), "{error}");
    assert_eq!(pool.call(square, (3,))?, 9);
    pool.close();
    for _ in 0..2 {
        let error = pool.submit(square, (3,)).unwrap_err();
        assert!(error.to_string().contains("'ended' is closed"), "{error}");
        assert!(matches!(pool.call(square, (3,)), Err(mp::TaskError::Broken(..))));
        assert!(matches!(pool.try_submit(square, (3,)), Err(mp::TrySubmitError::Failed(_))));
        assert!(pool.imap(square, 0..5).all(|result| matches!(result, Err(mp::TaskError::Broken(..)))));
        pool.join()?;
        assert!(pool.pids().is_empty());
    }
    pool.terminate();
    let error = pool.submit(square, (3,)).unwrap_err();
    assert!(error.to_string().contains("was terminated"), "{error}");
    pool.shutdown(true)?;
    pool.join()
}

#[test]
fn workers_are_replaced_after_just_so_many_tasks() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (most, workers) in [(1, 1), (1, 2), (7, 1), (7, 2), (100, 2)] {
        let pool = mp::Pool::builder().workers(workers).max_tasks_per_child(most).build()?;
        let count = most * 12;
        let mut pids = pool.map(pid_of, 0..count)?;
        pids.extend((0..most).map(|_| pool.call(pid_of, (0,)).unwrap()));
        pids.sort_unstable();
        let each: Vec<_> = pids.chunk_by(|one, other| one == other).map(<[u32]>::len).collect();
        assert!(each.iter().all(|tasks| *tasks as u64 <= most), "{most}: {each:?}");
        // All but those that are still there have done as many as they may.
        let fewer = each.iter().filter(|tasks| (**tasks as u64) < most).count();
        assert!(fewer <= workers, "{most}: {each:?}");
    }
    assert!(mp::Pool::builder().max_tasks_per_child(0).build().unwrap_err().is_invalid_input());
    assert!(mp::Pool::builder().workers(0).build().unwrap_err().is_invalid_input());
    Ok(())
}

#[mp::process_target]
fn grows(bytes: usize) -> u32 {
    if bytes > 0 {
        std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
    }
    std::process::id()
}

#[test]
fn workers_that_have_grown_are_replaced_between_tasks() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).max_rss(100 << 20).build()?;
    let small = pool.call(grows, (0,))?;
    let large = pool.call(grows, (200 << 20,))?;
    assert_eq!(small, large);
    eventually("another worker", || pool.call(grows, (0,)).unwrap() != large);
    assert!(!is_running(large));
    assert_eq!(pool.restarts(), 1);
    Ok(())
}

#[mp::process_target]
fn begins(started: mp::Value<u32>, how: u8) {
    started.fetch_add(1).unwrap();
    match how {
        0 => {}
        1 => panic!("no good beginning"),
        2 => exit(5),
        3 => raise(Signal::SIGKILL).unwrap(),
        _ => std::process::abort(),
    }
}

#[test]
fn an_initializer_that_fails_fails_the_pool() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (how, text) in [(0, ""), (1, "no good beginning"), (2, "code 5"), (3, "SIGKILL"), (4, "SIGABRT")] {
        let started = mp::Value::new(0)?;
        let builder = mp::Pool::builder().workers(2).initializer(begins, (started.clone(), how));
        match builder.build() {
            Ok(pool) => {
                assert!(how == 0 && started.get() == 2);
                assert_eq!(pool.call(square, (3,))?, 9);
            }
            Err(error) => {
                assert!(how > 0 && error.to_string().contains(text), "{text}: {error}");
                assert!((1..=2).contains(&started.get()), "{} starts", started.get());
            }
        }
    }
    Ok(())
}

struct State {
    made: u32,
    ended: mp::QueueSender<u32>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.ended.put(&(1000 + self.made)).unwrap();
    }
}

#[mp::process_target(worker_state)]
fn make(made: mp::Value<u32>, ended: mp::QueueSender<u32>) -> State {
    State { made: made.fetch_add(1).unwrap() + 1, ended }
}

#[mp::process_target]
fn which(state: &mut State, is_last: bool) -> u32 {
    if is_last {
        raise(Signal::SIGKILL).unwrap();
    }
    state.made
}

#[mp::process_target]
fn bye(state: &mut State) {
    state.ended.put(&state.made).unwrap();
}

#[test]
fn a_state_is_made_anew_after_a_kill_and_dropped_at_the_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (made, (sender, ended)) = (mp::Value::new(0)?, mp::Queue::unbounded()?.split());
    let pool = mp::Pool::builder().workers(1).worker_state(make, (made, sender)).worker_exit(bye).build()?;
    assert_eq!(pool.map(which, [false; 10])?, [1; 10]);
    assert!(matches!(pool.call(which, (true,)), Err(mp::TaskError::Killed(_))));
    assert_eq!(pool.map(which, [false; 10])?, [2; 10]);
    pool.shutdown(false)?;
    assert_eq!(ended.drain().map(Result::unwrap).collect::<Vec<_>>(), [2, 1002]);
    Ok(())
}

#[mp::process_target]
pub(crate) fn says_and_dies(x: u32) {
    eprintln!("so ends {x}");
    std::process::abort();
}

#[test]
fn a_pool_whose_workers_die_too_often_is_broken() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).restart_limit(3, Duration::from_secs(100)).build()?;
    let results: Vec<_> = pool.imap(says_and_dies, 0..20).map(Result::unwrap_err).collect();
    for (error, x) in results.iter().zip(0..) {
        match error {
            mp::TaskError::Aborted(facts) => assert!(x < 4 && facts.stderr() == format!("so ends {x}")),
            mp::TaskError::Broken(_, why) => {
                let why = why.to_string();
                assert!(
                    x > 3 && why.contains("given up") && why.contains("SIGABRT") && why.contains("so ends 3"),
                    "{why}"
                );
            }
            other => panic!("{other}"),
        }
    }
    assert!(pool.submit(square, (3,)).unwrap_err().to_string().contains("given up"));
    assert!(pool.join().unwrap_err().to_string().contains("given up"));
    Ok(())
}

#[mp::process_target]
fn name_and_pid(_: u64) -> (String, u32) {
    (mp::current_process().name().to_owned(), std::process::id())
}

#[test]
fn workers_have_names_and_leave_ctrl_c_to_the_parent() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).name("named").build()?;
    let (go, (sender, told)) = (mp::Event::new()?, mp::Queue::unbounded()?.split());
    let tasks = [0; 2].map(|_| pool.submit(tells_and_waits, (sender.clone(), go.clone())).unwrap());
    for _ in 0..2 {
        send(told.get().unwrap(), Signal::SIGINT);
    }
    go.set();
    assert!(tasks.iter().all(|task| task.join().unwrap() == 7));
    let stats = pool.stats();
    for (name, pid) in pool.map(name_and_pid, 0..100)? {
        assert!(["named-1", "named-2"].contains(&&*name), "{name}");
        assert!(stats.workers.iter().any(|worker| worker.name == name && worker.pid == Some(pid)));
    }
    assert_eq!(pool.restarts(), 0);
    Ok(())
}

#[test]
fn who_submits_too_much_waits_for_room() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).max_pending(3, 1 << 20).build()?;
    let (go, (sender, told)) = (mp::Event::new()?, mp::Queue::unbounded()?.split());
    let first = pool.submit(tells_and_waits, (sender, go.clone()))?;
    told.get().unwrap();
    let more: Vec<_> = (0..2).map(|x| pool.try_submit(square, (x,))).collect::<Result<_, _>>()?;
    assert!(matches!(pool.try_submit(square, (5,)), Err(mp::TrySubmitError::Full((5,)))));
    thread::scope(|scope| {
        let submitter = scope.spawn(|| pool.submit(square, (9,)).unwrap().join());
        eventually("a stop", || {
            assert!(!submitter.is_finished());
            pool.stats().pending + pool.stats().outstanding == 3
        });
        go.set();
        assert_eq!(submitter.join().unwrap().unwrap(), 81);
    });
    assert_eq!((first.join()?, more[1].join()?), (7, 1));
    assert_eq!(pool.map(square, 0..1000)?.len(), 1000);
    // Who waits for room is told of the end, too.
    let stay: Vec<_> = (0..3).map(|_| pool.submit(wait_for_ever, ()).unwrap()).collect();
    thread::scope(|scope| {
        let submitter = scope.spawn(|| pool.submit(square, (9,)));
        pool.terminate();
        assert!(submitter.join().unwrap().is_err());
    });
    assert!(stay.iter().all(|task| task.join().unwrap_err().is_cancelled()));
    Ok(())
}

#[mp::process_target]
fn naps(x: u64) -> u64 {
    thread::sleep(Duration::from_millis(x));
    x
}

/// Writes into its worker's mailbox.
fn scribble(place: u64, bytes: &[u8]) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = std::fs::OpenOptions::new().write(true).open("/proc/self/mem").unwrap();
    for (start, end) in maps.lines().filter(|line| line.contains("rw-s")).filter_map(|line| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    }) {
        if (200_000..300_000).contains(&(end - start)) {
            memory.write_all_at(bytes, start + place).unwrap();
        }
    }
}

/// That far more tasks were begun than there are.
#[mp::process_target]
fn scribbles() {
    scribble(24 * 8, &[99]);
}

/// That results lie where there are none.
#[mp::process_target]
fn scribbles_and_stays(told: mp::QueueSender<u32>) {
    scribble(32 * 8, &(5_u64 << 33).to_le_bytes());
    told.put(&0).unwrap();
    loop {
        thread::park();
    }
}

/// Who believed it would go round and round the ring.
#[test]
fn a_worker_whose_results_are_nonsense_ends() {
    let _watchdog = watchdog();
    let pool = pool(1);
    let (sender, told) = mp::Queue::unbounded().unwrap().split();
    let task = pool.submit(scribbles_and_stays, (sender,)).unwrap();
    told.get().unwrap();
    let _looked = pool.stats();
    assert!(matches!(task.join(), Err(mp::TaskError::Killed(_))));
    assert_eq!(pool.call(square, (3,)).unwrap(), 9);
    assert_eq!(pool.restarts(), 1);
}

/// A driver that believed it would look again and again, with the lock of the pool.
#[test]
fn a_worker_that_writes_nonsense_ends() {
    let _watchdog = watchdog();
    let pool = pool(1);
    // If it has answered by the time that somebody looks, that counts.
    let result = pool.call(scribbles, ());
    assert!(matches!(result, Ok(()) | Err(mp::TaskError::Killed(_))), "{result:?}");
    assert_eq!(pool.call(square, (3,)).unwrap(), 9);
    assert_eq!(pool.restarts(), 1);
}

/// More than the worker has ahead, so that some are pending when it has nothing.
#[test]
fn who_looks_at_the_stats_takes_nothing_from_those_who_wait() {
    let _watchdog = watchdog();
    let pool = pool(1);
    let is_over = AtomicBool::new(false);
    thread::scope(|looks| {
        looks.spawn(|| {
            while !is_over.load(Relaxed) {
                let _stats = pool.stats();
            }
        });
        for _ in 0..100 {
            thread::scope(|calls| {
                for _ in 0..4 {
                    calls.spawn(|| assert_eq!(pool.call(naps, (1,)).unwrap(), 1));
                }
            });
        }
        is_over.store(true, Relaxed);
    });
}

#[test]
fn stats_and_the_trace_know_of_each_task() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let path = tempfile::tempdir()?.keep().join("trace \"of\" it.json");
    let pool = mp::Pool::builder().workers(2).trace_to(&path).build()?;
    pool.map(square, 0..1000)?;
    pool.map(naps, [1, 30, 2])?;
    assert!(pool.call(says_and_dies, (1,)).is_err());
    eventually("another worker", || {
        pool.restarts() == 1 && pool.stats().workers.iter().all(|worker| worker.pid.is_some())
    });
    let stats = pool.stats();
    assert_eq!((stats.pending, stats.outstanding), (0, 0));
    assert_eq!(stats.workers.iter().map(|worker| worker.tasks).sum::<u64>(), 1003);
    assert_eq!(stats.workers.iter().map(|worker| worker.restarts).sum::<u64>(), 1);
    assert!(stats.longest[0].target.contains("naps") && stats.longest[0].index == 1);
    assert!(stats.longest[0].time >= Duration::from_millis(30) && stats.longest.len() == 5);
    assert!(stats.workers.iter().map(|worker| worker.busy).sum::<Duration>() >= Duration::from_millis(33));
    assert!(stats.workers.iter().all(|worker| worker.peak_memory > 100 << 10));
    assert_eq!(stats.to_string().lines().count(), 1 + 2 + 1 + 5, "{stats}");
    pool.shutdown(false)?;
    let events: Vec<serde_json::Value> = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
    let of = |kind: &str| events.iter().filter(move |event| event["ph"] == kind).collect::<Vec<_>>();
    for (target, count) in [("square", 1000), ("naps", 3)] {
        let named = of("X").into_iter().filter(|event| event["name"].as_str().unwrap().ends_with(target));
        let mut seen: Vec<_> = named.map(|event| event["args"]["index"].as_u64().unwrap()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..count), "{target}");
    }
    assert_eq!((of("X").len(), of("i").len()), (1003, 1));
    assert!(of("i")[0]["args"]["why"].as_str().unwrap().contains("so ends 1"));
    std::fs::remove_dir_all(path.parent().unwrap())?;
    Ok(())
}
