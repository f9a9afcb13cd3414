//! What a pool makes of maps: order, lead, errors, and who may use it.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    thread,
    time::Duration,
};

use multiprocess as mp;

use super::support::{increment, watchdog};

pub(crate) fn pool(workers: usize) -> mp::Pool {
    mp::Pool::builder().workers(workers).build().unwrap()
}

pub(crate) fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

#[mp::process_target]
pub(crate) fn square(x: u64) -> u64 {
    x * x
}

#[mp::process_target]
pub(crate) fn pid_of(_: u64) -> u32 {
    std::process::id()
}

#[mp::process_target]
fn join(name: String, number: u32, flag: bool) -> String {
    format!("{name} {number} {flag}")
}

/// Even ones take longer, so that later items are done before earlier ones.
#[mp::process_target]
fn uneven(x: u64) -> u64 {
    thread::sleep(Duration::from_micros(x % 2 * 300));
    x
}

/// Fails where a number says so, and is the same number otherwise.
#[mp::process_target]
fn odd_one_out(x: u64, bad: u64) -> u64 {
    assert_ne!(x, bad, "{x} is no good");
    x
}

#[mp::process_target]
fn panics_from(x: u64) -> u64 {
    assert!(x < 3, "{x} is too large");
    x
}

#[test]
fn a_map_keeps_the_order_whatever_its_length_and_its_chunks() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(3);
    for count in [0, 1, 2, 3, 7, 100, 10_000] {
        let expected: Vec<u64> = (0..count).map(|x| x * x).collect();
        assert_eq!(pool.map(square, 0..count)?, expected);
        for chunk in [1, 2, 3, 64, 1_000_000] {
            let tasks = pool.with(mp::TaskOptions::new().chunk_size(items(chunk)));
            assert_eq!(tasks.map(square, 0..count)?, expected, "{count} in chunks of {chunk}");
            for window in [1, 2, 5, 1000] {
                let tasks = pool.with(mp::TaskOptions::new().chunk_size(items(chunk)).window(items(window)));
                let results: Vec<_> = tasks.imap(square, 0..count.min(200)).map(Result::unwrap).collect();
                assert_eq!(results, expected[..count.min(200) as usize], "chunks of {chunk}, window of {window}");
            }
        }
    }
    assert_eq!(pool.map(uneven, 0..500)?, (0..500).collect::<Vec<_>>());
    assert_eq!(pool.restarts(), 0);
    Ok(())
}

#[test]
fn a_starmap_has_several_arguments() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let items = || (0..50).map(|x| (format!("name {x}"), x, x % 2 == 0));
    let expected: Vec<String> = items().map(|(name, number, flag)| join(name, number, flag)).collect();
    assert_eq!(pool.starmap(join, items())?, expected);
    assert_eq!(pool.istarmap(join, items()).map(Result::unwrap).collect::<Vec<_>>(), expected);
    let mut unordered: Vec<_> = pool.istarmap_unordered(join, items()).map(Result::unwrap).collect();
    unordered.sort();
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(unordered, sorted);
    assert_eq!(pool.call(join, ("one".to_owned(), 1, true))?, "one 1 true");
    Ok(())
}

#[mp::process_target]
fn adds(total: mp::Value<u64>, x: u64) {
    total.fetch_add(x).unwrap();
}

#[mp::process_target]
fn nothing(_: u64) {}

#[test]
fn for_each_has_no_results_but_errors() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let total = mp::Value::new(0_u64)?;
    let results = pool.starmap(adds, (0..1000).map(|x| (total.clone(), x)))?;
    assert_eq!((results.len(), total.get()), (1000, 499_500));
    pool.for_each(nothing, 0..100_000)?;
    Ok(())
}

/// Meets somebody else at a barrier, which only two tasks at the same time can.
#[mp::process_target]
fn meets(barrier: mp::Barrier) -> u32 {
    barrier.wait().unwrap();
    std::process::id()
}

#[test]
fn as_many_tasks_run_at_a_time_as_there_are_workers() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(4);
    let barrier = mp::Barrier::new(4)?;
    for _ in 0..50 {
        let mut pids = pool.map(meets, (0..4).map(|_| barrier.clone()))?;
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), 4);
    }
    // Chunks that have grown by then are no reason to let somebody wait behind another.
    pool.map(square, 0..100_000)?;
    pool.map(meets, (0..4).map(|_| barrier.clone()))?;
    let tasks: Vec<_> = (0..4).map(|_| pool.submit(meets, (barrier.clone(),))).collect::<mp::Result<_>>()?;
    tasks.iter().try_for_each(|task| task.join().map(drop))?;
    Ok(())
}

#[test]
fn imap_takes_from_its_input_as_much_ahead_as_its_window() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for (window, chunk) in [(1, 1), (2, 1), (7, 3), (50, 1000)] {
        let pulled = Cell::new(0_usize);
        let input = (0..).inspect(|_| pulled.set(pulled.get() + 1));
        let tasks = pool.with(mp::TaskOptions::new().window(items(window)).chunk_size(items(chunk)));
        let mut results = tasks.imap(square, input);
        assert_eq!(pulled.get(), 0, "nothing is taken before somebody asks");
        let mut most = 0;
        for x in 0..2_000 {
            assert_eq!(results.next().unwrap()?, x * x);
            let lead = pulled.get() - x as usize;
            // The one that was just taken is no lead any more, but may be replaced only later.
            assert!(lead <= window + 1, "{lead} items ahead with a window of {window}");
            most = most.max(lead);
        }
        assert!(most >= window.min(2), "{most} with a window of {window}");
        drop(results);
        let mut unordered = tasks.imap_unordered(square, (0..).inspect(|_| pulled.set(pulled.get() + 1)));
        pulled.set(0);
        for x in 0..2_000 {
            unordered.next().unwrap()?;
            assert!(pulled.get() - x <= window + 1);
        }
    }
    Ok(())
}

#[mp::process_target]
fn slow(x: u64) -> u64 {
    thread::sleep(Duration::from_millis(3));
    x
}

#[test]
fn imap_takes_only_a_few_long_tasks_ahead_by_itself() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let pulled = Cell::new(0);
    let results = pool.imap(slow, (0..).inspect(|_| pulled.set(pulled.get() + 1)));
    for (x, result) in results.take(60).enumerate() {
        assert_eq!(result?, x as u64);
        assert!(pulled.get() - x <= 20, "{} ahead", pulled.get() - x);
    }
    // A window of bytes as well: each of these is one megabyte.
    let pulled = Cell::new(0);
    let tasks = pool.with(mp::TaskOptions::new().window_bytes(items(10 << 20)));
    let input = (0..).map(|x| vec![x as u8; 1 << 20]).inspect(|_| pulled.set(pulled.get() + 1));
    for (x, result) in tasks.imap(length, input).take(50).enumerate() {
        assert_eq!(result?, 1 << 20);
        // Ten whose arguments are on their way, and the small results that wait to be taken.
        assert!(pulled.get() - x <= 21, "{} ahead", pulled.get() - x);
    }
    Ok(())
}

#[mp::process_target]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

/// The first item waits until it is told.
#[mp::process_target]
fn first_waits(x: u64, told: mp::Event) -> u64 {
    if x == 0 {
        told.wait();
    }
    x
}

#[test]
fn imap_unordered_does_not_wait_for_the_first() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let told = mp::Event::new()?;
    let mut results = pool.istarmap_unordered(first_waits, (0..1000).map(|x| (x, told.clone())));
    let mut seen: Vec<_> = results.by_ref().take(10).map(Result::unwrap).collect();
    assert!(!seen.contains(&0));
    told.set();
    seen.extend(results.map(Result::unwrap));
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1000));
    Ok(())
}

#[test]
fn each_item_has_an_error_of_its_own_and_a_map_the_first() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let ran = mp::Value::new(0_u64)?;
    let error = pool.map(panics_from, 0..1000).unwrap_err();
    assert_eq!((error.facts().index(), error.panic().unwrap().message()), (3, "3 is too large"));
    let results: Vec<_> = pool.istarmap(odd_one_out, (0..1000).map(|x| (x, 500))).collect();
    for (index, result) in results.iter().enumerate() {
        match result {
            Ok(value) => assert_eq!(*value as usize, index),
            Err(error) => assert_eq!((index, error.facts().index()), (500, 500)),
        }
    }
    assert!(results[500].is_err());
    // All are run before `map` returns, after an error too.
    let error = pool.starmap(counts_and_fails, (0..500).map(|x| (x, ran.clone()))).unwrap_err();
    assert_eq!((error.facts().index(), ran.get()), (100, 500));
    assert_eq!(pool.restarts(), 0, "a panic costs no worker");
    Ok(())
}

#[mp::process_target]
fn counts_and_fails(x: u64, ran: mp::Value<u64>) {
    ran.fetch_add(1).unwrap();
    assert!(!(100..400).contains(&x));
}

#[mp::process_target]
fn returns_a_result(x: i32) -> Result<i32, String> {
    if x < 0 { Err(format!("{x} is negative")) } else { Ok(x) }
}

#[mp::process_target]
fn returns_a_code(code: u8) -> ExitCode {
    ExitCode::from(code)
}

#[test]
fn a_result_is_a_value_and_an_exit_code_is_not() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(1);
    let results = pool.map(returns_a_result, [1, -1])?;
    assert_eq!(results, [Ok(1), Err("-1 is negative".to_owned())]);
    let codes: Vec<_> = pool.imap(returns_a_code, [0, 3, 0]).collect();
    assert!(codes[0].is_ok() && codes[2].is_ok());
    assert!(matches!(&codes[1], Err(mp::TaskError::Exited(facts)) if facts.exit_code() == Some(3)));
    assert_eq!(pool.restarts(), 0);
    Ok(())
}

#[test]
fn an_input_that_panics_is_its_callers_business() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for position in [0, 1, 5, 1000] {
        let input = || (0..).inspect(|x| assert!(*x < position, "the input ends badly"));
        let map = catch_unwind(AssertUnwindSafe(|| pool.map(square, input())));
        assert_eq!(*map.unwrap_err().downcast::<&str>().unwrap(), "the input ends badly");
        let mut results = pool.imap(square, input());
        let mut seen = 0;
        while catch_unwind(AssertUnwindSafe(|| results.next().unwrap().unwrap())).is_ok() {
            seen += 1;
        }
        assert!(seen <= position);
        drop(results);
        assert_eq!(pool.map(square, [3, 4])?, [9, 16]);
    }
    Ok(())
}

#[test]
fn a_pool_is_used_by_many_threads_at_once() {
    let _watchdog = watchdog();
    let pool = pool(3);
    thread::scope(|scope| {
        for number in 0..12_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..100_u64 {
                    let x = number * 1000 + round;
                    match number % 4 {
                        0 => assert_eq!(pool.call(square, (x,)).unwrap(), x * x),
                        1 => assert_eq!(pool.map(increment, x..x + 50).unwrap(), (x + 1..x + 51).collect::<Vec<_>>()),
                        2 => assert_eq!(pool.imap(square, x..x + 21).nth(20).unwrap().unwrap(), (x + 20) * (x + 20)),
                        _ => {
                            let tasks: Vec<_> = (0..20).map(|y| pool.submit(increment, (x + y,)).unwrap()).collect();
                            assert!(tasks.iter().zip(x + 1..).all(|(task, y)| task.join().unwrap() == y));
                        }
                    }
                }
            });
        }
    });
    assert_eq!(pool.restarts(), 0);
}

#[mp::process_target]
fn sum_of_squares(to: u64, depth: u32) -> u64 {
    let pool = pool(2);
    if depth == 0 {
        return pool.map(square, 0..to).unwrap().into_iter().sum();
    }
    pool.starmap(sum_of_squares, [(to, depth - 1), (to, depth - 1)]).unwrap().into_iter().sum()
}

#[test]
fn a_worker_may_have_a_pool_and_its_workers_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    assert_eq!(pool.starmap(sum_of_squares, [(10, 0), (100, 0), (10, 1)])?, [285, 328_350, 570]);
    Ok(())
}
