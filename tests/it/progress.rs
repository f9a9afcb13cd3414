//! How far a map has got: what `Imap::on_progress` tells.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use multiprocess as mp;

use super::{
    pool::{items, pool, square},
    support::watchdog,
};

#[mp::process_target]
fn even(x: u64) -> u64 {
    assert_eq!(x % 2, 0, "{x} is odd");
    x
}

#[mp::process_target]
fn dies_of_threes(x: u64) -> u64 {
    if x % 3 == 2 {
        std::process::abort();
    }
    x
}

/// Nothing goes backwards, nothing is told twice, and all of it fits together.
fn check(seen: &[mp::Progress], count: u64, failures: u64) {
    for pair in seen.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        assert!(before.settled <= after.settled && before.failed <= after.failed && before.taken <= after.taken);
        assert_ne!(before, after);
    }
    assert!(seen.iter().all(|now| now.failed <= now.settled && now.settled <= now.taken && now.taken <= count));
    let last = seen.last().unwrap();
    assert_eq!((last.settled, last.failed, last.taken, last.total), (count, failures, count, Some(count)));
}

/// How many values a way of taking the results has, and what is told meanwhile.
fn told<E: mp::Executor<State = ()>, F: mp::WorkerTarget<()>, I: Iterator<Item = F::Args>>(
    results: mp::Imap<'_, E, F, I>,
    take: impl for<'a> FnOnce(mp::Imap<'a, E, F, I>) -> usize,
) -> (u64, Vec<mp::Progress>) {
    let mut seen = Vec::new();
    let values = take(results.on_progress(|now| seen.push(*now)));
    (values as u64, seen)
}

/// Whichever way the results are taken.
fn all_ways<E: mp::Executor<State = ()>>(executor: &E, count: u64) {
    let tasks = mp::Tasks::on(executor);
    let failures = count / 2;
    let all = told(tasks.imap(square, 0..count), |results| results.after_all().unwrap().len());
    let fast = told(tasks.imap(square, 0..count), |results| results.fail_fast().unwrap().len());
    let some = told(tasks.imap_unordered(even, 0..count), |results| results.max_failures(usize::MAX).unwrap().0.len());
    let each = told(tasks.imap(even, 0..count), |results| results.flatten().count());
    for ((values, seen), failed) in [(all, 0), (fast, 0), (some, failures), (each, failures)] {
        assert_eq!(values, count - failed);
        assert!(seen.iter().all(|progress| progress.total == Some(count)), "a range knows its length");
        check(&seen, count, failed);
    }
}

#[test]
fn counts_never_go_backwards_and_are_right_at_the_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for count in [0, 1, 2, 7, 3_000] {
        all_ways(&pool, count);
        all_ways(&mp::ThreadPool::new(2)?, count);
        all_ways(&mp::Inline::new(), count);
    }
    Ok(())
}

#[test]
fn results_that_come_together_are_told_together() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let (mut calls, mut last) = (0_u64, 0);
    let results = pool.imap(square, 0..500_000).on_progress(|now| (calls, last) = (calls + 1, now.settled));
    assert_eq!(results.after_all()?.len(), 500_000);
    assert_eq!(last, 500_000);
    assert!(calls < 50_000, "{calls} calls");
    Ok(())
}

#[test]
fn what_costs_a_worker_counts_as_failed() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let mut seen = Vec::new();
    let results: Vec<_> = pool.imap(dies_of_threes, 0..30).on_progress(|now| seen.push(*now)).collect();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 10);
    check(&seen, 30, 10);
    Ok(())
}

#[test]
fn a_total_that_the_input_does_not_know_is_known_at_its_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let mut seen = Vec::new();
    let few = pool.with(mp::TaskOptions::new().window(items(4)));
    let input = (0..1_000).filter(|x| x % 2 == 0);
    few.imap(square, input).on_progress(|now| seen.push(*now)).after_all()?;
    assert_eq!(seen[0].total, None);
    check(&seen, 500, 0);
    // Endless: it is never known.
    let mut unknown = true;
    let results = few.imap(square, 0..).on_progress(|now| unknown &= now.total.is_none());
    assert_eq!(results.take(100).map(Result::unwrap).last(), Some(99 * 99));
    assert!(unknown);
    Ok(())
}

#[test]
fn a_callback_that_panics_loses_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for tasks in [pool.with(mp::TaskOptions::new()), pool.with(mp::TaskOptions::new().window(items(3)))] {
        let mut calls = 0;
        let mut results = tasks.imap(square, 0..200).on_progress(|_| {
            calls += 1;
            assert!(calls % 2 == 0, "call {calls} ends badly");
        });
        let (mut values, mut panics) = (Vec::new(), 0);
        loop {
            match catch_unwind(AssertUnwindSafe(|| results.next())) {
                Ok(None) => break,
                Ok(Some(value)) => values.push(value?),
                Err(payload) => {
                    assert!(payload.downcast::<String>().unwrap().ends_with("ends badly"));
                    panics += 1;
                }
            }
        }
        drop(results);
        assert!(values.into_iter().eq((0..200).map(|x| x * x)));
        assert_eq!(panics, (calls + 1) / 2);
        // It goes through a joiner as well; and others do not notice.
        let after_all =
            || tasks.imap(square, 0..200).on_progress(|now| assert!(now.settled < 100, "enough")).after_all();
        assert!(catch_unwind(AssertUnwindSafe(after_all)).is_err());
        assert_eq!(pool.map(square, [3, 4])?, [9, 16]);
    }
    Ok(())
}

#[test]
fn what_is_cut_short_tells_no_more() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let mut last = None;
    let error = pool.imap(even, 0..).on_progress(|now| last = Some(*now)).fail_fast().unwrap_err();
    assert_eq!(error.facts().index(), 1);
    let last = last.unwrap();
    assert!(last.settled >= 2 && last.failed >= 1 && last.total.is_none(), "{last:?}");
    let calls = AtomicU64::new(0);
    let mut results = pool.imap(square, 0..).on_progress(|_| {
        calls.fetch_add(1, Relaxed);
    });
    assert_eq!(results.nth(5).unwrap()?, 25);
    let before = calls.load(Relaxed);
    drop(results);
    assert_eq!(calls.load(Relaxed), before);
    Ok(())
}

#[test]
fn a_pool_that_takes_no_more_settles_what_was_taken() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(1);
    pool.close();
    let mut last = None;
    let results: Vec<_> = pool.imap(square, 0..).on_progress(|now| last = Some(*now)).collect();
    let (count, last) = (results.len() as u64, last.unwrap());
    assert!(count > 0 && results.iter().all(Result::is_err));
    assert_eq!((last.settled, last.failed, last.taken, last.total), (count, count, count, Some(count)));
    Ok(())
}

#[test]
fn several_are_told_in_the_thread_that_takes_the_results() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let results = pool
        .imap(square, 0..100)
        .on_progress(|now| first.push((*now, thread::current().id())))
        .on_progress(|now| second.push((*now, thread::current().id())));
    let taker = thread::scope(|scope| {
        let taker = scope.spawn(|| {
            assert_eq!(results.after_all().unwrap().len(), 100);
            thread::current().id()
        });
        taker.join().unwrap()
    });
    assert_eq!(first, second);
    assert!(first.iter().all(|(_, thread)| *thread == taker));
    Ok(())
}
