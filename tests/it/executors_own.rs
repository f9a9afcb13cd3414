//! Executors: what each has of its own. Threads, the caller itself, maps in the background, faults that tests want.

use std::{
    io::{Read, Write},
    os::fd::OwnedFd,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use multiprocess as mp;

use super::support::{WATCHDOG, eventually, gate, increment, wait_at, wait_for, watchdog};

#[mp::process_target]
fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

static INITIALIZED: AtomicU32 = AtomicU32::new(0);

#[mp::process_target]
fn initialize(by: u32) {
    INITIALIZED.fetch_add(by, SeqCst);
}

#[mp::process_target]
fn fails() -> u32 {
    panic!("no licence")
}

#[test]
fn threads_have_names_and_are_initialized() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::ThreadPool::builder().workers(3).name("painter").initializer(initialize, (5,)).build()?;
    assert_eq!(INITIALIZED.load(SeqCst), 15);
    for _ in 0..20 {
        assert!(pool.call(thread_name, ())?.starts_with("painter-"));
    }
    let error = mp::ThreadPool::builder().workers(2).initializer(fails, ()).build().unwrap_err().to_string();
    assert!(error.contains("fails") && error.contains("no licence"), "{error}");
    for builder in [
        mp::ThreadPool::builder().workers(0),
        mp::ThreadPool::builder().max_pending(0, 1),
        mp::ThreadPool::builder().task_options(mp::TaskOptions::new().timeout(WATCHDOG)),
    ] {
        assert!(builder.build().is_err());
    }
    Ok(())
}

static TOGETHER: Barrier = Barrier::new(2);

/// The last two of many go on only together.
#[mp::process_target]
fn meets(x: u32) -> u32 {
    if x >= 20_000 {
        TOGETHER.wait();
    }
    x
}

#[test]
fn items_of_one_chunk_run_in_several_threads() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::ThreadPool::new(2)?;
    // Chunks are large by the end.
    assert_eq!(pool.map(meets, 0..20_002)?.len(), 20_002);
    Ok(())
}

/// Says that it has begun.
#[mp::process_target]
fn begin(begun: mp::Sender<()>, gate: mp::Handle<OwnedFd>) {
    begun.send(&()).unwrap();
    wait_for(&gate);
}

/// A task that runs until its gate is closed.
fn running(pool: &mp::ThreadPool) -> (mp::Task<()>, std::io::PipeWriter) {
    let ((sender, begun), (reader, writer)) = (mp::channel().unwrap(), gate());
    let task = pool.submit(begin, (sender, reader)).unwrap();
    begun.recv().unwrap();
    (task, writer)
}

#[test]
fn what_waits_in_a_thread_pool_can_be_cancelled() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::ThreadPool::new(1)?;
    let (runs, writer) = running(&pool);
    let waits = pool.submit(increment, (1,))?;
    let mut rest = pool.imap(increment, 0..);
    assert!(waits.cancel());
    assert!(waits.join().unwrap_err().is_cancelled()); // while the other one still runs
    assert!(runs.cancel());
    assert!(!runs.is_ready()); // a thread cannot be stopped
    drop(writer);
    assert!(runs.join().unwrap_err().is_cancelled());
    assert_eq!(rest.next().unwrap()?, 1);
    Ok(())
}

#[test]
fn a_thread_pool_ends_in_any_state() -> mp::Result<()> {
    let _watchdog = watchdog();
    let start = || {
        let pool = mp::ThreadPool::new(2).unwrap();
        let (runs, writer) = running(&pool);
        let waits: Vec<_> = (0..50).map(|x| pool.submit(increment, (x,)).unwrap()).collect();
        (pool, writer, runs, waits)
    };
    let is_whole = |tasks: Vec<mp::Task<u64>>| {
        tasks.iter().enumerate().all(|(x, task)| match task.join() {
            Ok(value) => value == x as u64 + 1,
            Err(error) => error.is_cancelled(),
        })
    };
    // Idle; closed and joined by two; with all that was submitted done.
    drop(mp::ThreadPool::new(2)?);
    let (pool, writer, runs, waits) = start();
    assert!(pool.join().unwrap_err().is_invalid_input());
    pool.close();
    assert!(pool.submit(increment, (1,)).unwrap_err().to_string().contains("closed"));
    thread::scope(|scope| {
        let (one, other) = (scope.spawn(|| pool.join()), scope.spawn(|| pool.join()));
        drop(writer);
        one.join().unwrap().and(other.join().unwrap())
    })?;
    runs.join()?;
    assert!(mp::wait_all(&waits.iter().collect::<Vec<_>>(), Some(Duration::ZERO)));
    assert!(waits.iter().all(|task| task.join().is_ok()));
    // Terminated while a task runs: that one has its result.
    let (pool, writer, runs, waits) = start();
    pool.terminate();
    assert!(is_whole(waits) && !runs.is_ready());
    assert!(pool.map(increment, 0..3).unwrap_err().to_string().contains("terminated"));
    drop(writer);
    pool.join()?;
    runs.join()?;
    // Shut down without what is pending.
    let (pool, writer, runs, waits) = start();
    thread::scope(|scope| {
        let shut = scope.spawn(|| pool.shutdown(true));
        assert!(is_whole(waits));
        drop(writer);
        shut.join().unwrap()
    })?;
    runs.join()?;
    // Dropped.
    let (pool, writer, runs, waits) = start();
    thread::scope(|scope| {
        scope.spawn(move || drop(pool));
        assert!(is_whole(waits));
        drop(writer);
    });
    runs.join()?;
    Ok(())
}

static OWNED: std::sync::Mutex<Option<mp::ThreadPool>> = std::sync::Mutex::new(None);

#[mp::process_target]
fn ends_its_own_pool() -> bool {
    let pool = OWNED.lock().unwrap().take().unwrap();
    pool.close();
    pool.join().is_err()
}

#[test]
fn a_task_may_drop_its_own_thread_pool() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut owned = OWNED.lock().unwrap();
    let pool = owned.insert(mp::ThreadPool::new(2)?);
    let task = pool.submit(ends_its_own_pool, ())?;
    drop(owned);
    assert!(task.join()?);
    Ok(())
}

#[test]
fn as_much_is_pending_in_a_thread_pool_as_may_be() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::ThreadPool::builder().workers(1).max_pending(2, 1 << 20).build()?;
    for x in 0..100 {
        // Who has a result may count on the room.
        pool.call(increment, (x,))?;
        pool.try_submit(increment, (x,)).unwrap();
        let second = pool.try_submit(increment, (x,)).unwrap();
        second.join()?;
    }
    let ((_runs, writer), waits) = (running(&pool), pool.submit(increment, (1,))?);
    assert!(matches!(pool.try_submit(increment, (7,)), Err(mp::TrySubmitError::Full((7,)))));
    thread::scope(|scope| {
        let third = scope.spawn(|| pool.submit(increment, (2,)).unwrap().join());
        drop(writer);
        third.join().unwrap()
    })?;
    assert_eq!(waits.join()?, 2);
    Ok(())
}

static TRIES: AtomicU32 = AtomicU32::new(0);

#[mp::process_target]
fn succeeds_at_last(times: u32) -> u32 {
    let tries = TRIES.fetch_add(1, SeqCst);
    assert!(tries >= times, "not yet");
    tries
}

#[test]
fn panics_are_tried_again_where_they_happened() -> mp::Result<()> {
    let _watchdog = watchdog();
    let again = |times| {
        TRIES.store(0, SeqCst);
        let retry = mp::Retry::times(times).after_panics(true).back_off(Duration::from_millis(1));
        mp::TaskOptions::new().retry(retry)
    };
    let (threads, here) = (mp::ThreadPool::new(2)?, mp::Inline::new());
    assert_eq!(threads.with(again(2)).call(succeeds_at_last, (2,))?, 2);
    assert_eq!(here.with(again(2)).call(succeeds_at_last, (2,))?, 2);
    for error in [
        threads.with(again(2)).call(succeeds_at_last, (9,)).unwrap_err(),
        here.with(again(2)).call(succeeds_at_last, (9,)).unwrap_err(),
    ] {
        assert_eq!(error.facts().attempt(), 3);
        assert_eq!(error.panic().unwrap().message(), "not yet");
    }
    // A pause that outlives the pool.
    let task = threads
        .with(again(9).retry(mp::Retry::times(9).after_panics(true).back_off(WATCHDOG)))
        .submit(succeeds_at_last, (9,))?;
    eventually("the first attempt", || TRIES.load(SeqCst) == 1);
    threads.terminate();
    assert!(task.join().unwrap_err().is_cancelled());
    Ok(())
}

#[test]
fn threads_cannot_be_stopped_and_say_so() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::ThreadPool::new(1)?;
    let strict = mp::TaskOptions::new().timeout(WATCHDOG);
    match pool.with(strict.clone()).call(increment, (1,)) {
        Err(mp::TaskError::Refused(facts, error)) => {
            assert_eq!(facts.attempt(), 0);
            assert!(error.is_unsupported() && error.to_string().contains("cannot be stopped"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(mp::Inline::new().with(strict).call(increment, (1,))?, 2);
    Ok(())
}

#[mp::process_target]
fn opens() -> (mp::Handle<OwnedFd>, String) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"from a task").unwrap();
    (mp::Handle::new(OwnedFd::from(reader)), "x".repeat(100_000))
}

#[mp::process_target]
fn sums(numbers: mp::SharedSlice<u64>, gate: mp::Handle<OwnedFd>) -> (u64, mp::SharedSlice<u64>) {
    wait_for(&gate);
    (numbers.iter().sum(), numbers)
}

fn descriptors_arrive(tasks: &impl mp::Executor<State = ()>) -> Result<(), mp::TaskError> {
    let tasks = mp::Tasks::on(tasks);
    let task = tasks.submit(opens, ()).unwrap();
    let (pipe, text) = task.join()?;
    let mut said = String::new();
    std::fs::File::from(pipe.into_inner()).read_to_string(&mut said).unwrap();
    assert_eq!((&*said, text.len()), ("from a task", 100_000));
    assert!(matches!(task.join(), Err(mp::TaskError::Undecodable(..)))); // it exists once
    let numbers = mp::SharedSlice::from_iter(0..1000_u64).unwrap();
    let (reader, writer) = gate();
    drop(writer);
    let (sum, same) = tasks.call(sums, (numbers.clone(), reader))?;
    assert_eq!((sum, same[999]), (499_500, 999));
    Ok(())
}

#[test]
fn descriptors_go_to_tasks_of_this_process_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    descriptors_arrive(&mp::Inline::new())?;
    descriptors_arrive(&mp::ThreadPool::new(2)?)?;
    descriptors_arrive(&mp::Pool::builder().workers(1).build()?)?;
    Ok(())
}

#[test]
fn what_goes_by_name_may_be_refused() {
    let _watchdog = watchdog();
    let name = mp::TargetName::of(increment);
    assert_eq!(mp::perform(&name, &[7]).unwrap(), [8]);
    let unknown = serde_json::to_string(&name).unwrap().replace("increment", "decrement");
    match mp::perform(&serde_json::from_str(&unknown).unwrap(), &[7]) {
        Err(mp::TaskError::Refused(facts, error)) => {
            assert!(facts.target().ends_with("decrement") && error.to_string().contains("another build"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    for arguments in [&[][..], &[7, 7], &[251]] {
        assert!(matches!(mp::perform(&name, arguments), Err(mp::TaskError::Refused(..))), "{arguments:?}");
    }
    match mp::perform(&mp::TargetName::of(opens), &[]) {
        Err(mp::TaskError::Undecodable(_, error)) => assert!(error.is_unsupported(), "{error}"),
        other => panic!("{other:?}"),
    }
    let panicked = mp::perform(&mp::TargetName::of(fails), &[]).unwrap_err();
    assert_eq!((panicked.panic().unwrap().message(), panicked.is_worker_death()), ("no licence", false));
}

#[test]
fn tasks_of_several_executors_are_waited_for_together() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (processes, threads, here) =
        (mp::Pool::builder().workers(2).build()?, mp::ThreadPool::new(2)?, mp::Inline::new());
    for _ in 0..200 {
        let tasks = [
            processes.submit(increment, (1,))?,
            threads.submit(increment, (2,))?,
            processes.submit(increment, (3,))?,
            here.submit(increment, (4,))?,
        ];
        assert!(mp::wait_any(&[&tasks[1], &tasks[0]], None).is_some());
        assert!(mp::wait_all(&tasks.each_ref(), Some(WATCHDOG)));
        let more = [processes.submit(increment, (5,))?, threads.submit(increment, (6,))?];
        let sum: u64 = mp::as_completed(tasks.into_iter().chain(more)).map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 27);
    }
    let (reader, _writer) = gate();
    let never = threads.submit(wait_at, (reader,))?;
    assert_eq!(mp::wait_any(&[&never], Some(Duration::from_millis(5))), None);
    assert!(!mp::wait_all(&[&never], Some(Duration::from_millis(5))));
    let mut ready = mp::as_completed([never]);
    assert!(ready.next_timeout(Duration::from_millis(5)).unwrap_err().is_timed_out());
    Ok(())
}

#[test]
fn a_map_goes_on_in_the_background() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (processes, threads) = (mp::Pool::builder().workers(2).build()?, mp::ThreadPool::new(2)?);
    let wanted: Vec<_> = (1..1001).collect();
    assert_eq!(processes.map_async(increment, 0..1000)?.join()?, wanted);
    let map = threads.map_async(increment, 0..1000)?;
    assert_eq!(map.join()?, wanted);
    assert!(map.join().unwrap_err().to_string().contains("earlier join")); // they exist once
    let options = mp::TaskOptions::new().retries(1);
    assert_eq!(processes.with(options.clone()).map_async(increment, [1])?.join()?, [2]);
    assert_eq!(threads.with(options).starmap_async(increment, [(1,)])?.join_timeout(WATCHDOG).unwrap()?, [2]);
    let failed = threads.map_async(succeeds_never, 0..10)?;
    for _ in 0..2 {
        assert_eq!(failed.join().unwrap_err().facts().index(), 0);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let map = processes.map_async(increment, 0..1000)?;
    assert_eq!(runtime.block_on(async { tokio::time::timeout(WATCHDOG, map).await }).unwrap()?, wanted);
    Ok(())
}

#[mp::process_target]
fn succeeds_never(x: u32) {
    panic!("{x}")
}

#[test]
fn nobody_hangs_for_a_map_in_the_background() -> mp::Result<()> {
    let _watchdog = watchdog();
    for round in 0..20 {
        let (processes, threads) = (mp::Pool::builder().workers(1).build()?, mp::ThreadPool::new(1)?);
        let (sender, taken) = mpsc::channel();
        let endless = || {
            let sender = sender.clone();
            (0..).inspect(move |x| {
                if *x == round {
                    sender.send(()).ok();
                }
            })
        };
        let maps = [
            processes.map_async(increment, endless())?,
            threads.map_async(increment, endless())?,
            processes.map_async(increment, endless())?,
        ];
        assert!(maps.iter().all(|map| map.try_join().is_none() && map.join_timeout(Duration::ZERO).is_none()));
        taken.recv_timeout(WATCHDOG).unwrap();
        assert!(maps[2].cancel() && !maps[2].cancel());
        assert!(maps[2].join().unwrap_err().is_cancelled());
        drop((processes, threads));
        for map in &maps[..2] {
            assert!(matches!(map.join(), Err(mp::TaskError::Cancelled(_) | mp::TaskError::Broken(..))));
        }
    }
    // Who blocks is waited for, unless it is cancelled.
    let threads = mp::ThreadPool::new(1)?;
    let (sender, items) = mpsc::channel();
    let map = threads.map_async(increment, items)?;
    sender.send(1).unwrap();
    assert!(map.cancel());
    assert!(map.join().unwrap_err().is_cancelled());
    let panics = threads.map_async(increment, (0..10).inspect(|x| assert_ne!(*x, 5, "no more items")))?;
    assert!(panics.join().unwrap_err().panic().unwrap().message().contains("no more items"));
    Ok(())
}

fn faults<E: mp::Executor<State = ()>>(new: impl Fn() -> E) {
    let pool = mp::Faulty::new(new()).kill_at(2).undecodable_at(4).delay_at(5, Duration::from_millis(1)).kill_at(20);
    let results: Vec<_> = pool.imap(increment, 0..20).collect();
    for (x, result) in results.iter().enumerate() {
        match (x, result) {
            (2, Err(mp::TaskError::Killed(facts))) => assert_eq!((facts.index(), facts.attempt()), (2, 1)),
            (4, Err(mp::TaskError::Refused(facts, error))) => {
                assert_eq!(facts.index(), 4);
                assert!(error.to_string().contains("decode"), "{error}");
            }
            (_, Ok(value)) => assert_eq!(*value, x as u64 + 1),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(pool.call(increment, (1,)), Err(mp::TaskError::Killed(_))));
    assert_eq!(pool.call(increment, (1,)).unwrap(), 2);
    let pool = mp::Faulty::new(new()).every(3, mp::Fault::Kill);
    let is_killed: Vec<_> = pool.imap(increment, 0..9).map(|result| result.is_err()).collect();
    assert_eq!(is_killed, [false, false, true].repeat(3));
    let again = mp::TaskOptions::new().retries(1);
    assert_eq!(pool.with(again).map(increment, 0..30).unwrap(), (1..31).collect::<Vec<_>>());
    let (reader, writer) = gate();
    drop(writer);
    let pool = mp::Faulty::new(new()).undecodable_at(0);
    assert!(matches!(pool.call(wait_at, (reader,)), Err(mp::TaskError::Refused(..))));
}

#[test]
fn faults_strike_where_a_test_wants_them() {
    let _watchdog = watchdog();
    faults(mp::Inline::new);
    faults(|| mp::ThreadPool::new(2).unwrap());
    faults(|| mp::Pool::builder().workers(2).build().unwrap());
}

/// Whoever waits looks after the pool; what others submit meanwhile is not to wait for what that one waits for.
#[test]
fn a_callback_does_not_wait_for_the_task_of_another_thread() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).build()?;
    let (reader, writer) = gate();
    let long = pool.submit(wait_at, (reader,))?;
    thread::scope(|scope| {
        let waits = scope.spawn(|| long.join());
        for x in 0..2000 {
            let (sender, called) = mpsc::channel();
            let task = pool.submit(increment, (x,)).unwrap();
            task.on_done(move |task| sender.send(task.join()).unwrap());
            assert_eq!(called.recv_timeout(WATCHDOG).unwrap().unwrap(), x + 1);
        }
        drop(writer);
        waits.join().unwrap()
    })?;
    Ok(())
}
