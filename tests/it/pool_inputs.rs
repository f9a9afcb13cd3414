//! Inputs of maps that take their time: what was taken from them is not kept back.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use multiprocess as mp;
use serde::{Deserialize, Serialize, Serializer};

use super::support::{eventually, watchdog};

#[mp::process_target]
fn counted(x: u64, ran: mp::Value<u64>) -> u64 {
    ran.fetch_add(1).unwrap();
    x
}

#[mp::process_target]
fn same(x: u64) -> u64 {
    x
}

/// Each item of it is there only when the one before it was run; so it must have been handed over.
fn after_one_another(count: u64, ran: &mp::Value<u64>) -> impl Iterator<Item = (u64, mp::Value<u64>)> {
    (0..count).map(move |x| {
        eventually("the item before this one", || ran.get() >= x);
        // A quick input would be asked for several.
        thread::sleep(Duration::from_millis(1));
        (x, ran.clone())
    })
}

#[test]
fn an_item_is_handed_over_before_the_next_one_is_waited_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).build()?;
    let ran = mp::Value::new(0_u64)?;
    assert_eq!(pool.starmap(counted, after_one_another(20, &ran))?, (0..20).collect::<Vec<_>>());
    ran.set(0)?;
    let results: Result<Vec<_>, _> = pool.istarmap(counted, after_one_another(20, &ran)).collect();
    assert_eq!(results?.len(), 20);
    Ok(())
}

#[test]
fn results_do_not_wait_for_a_slow_input() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).build()?;
    // All of the slow ones would go into one chunk, and take a second, by what is known of the quick ones.
    for quick in [0_u64, 20_000] {
        let (mut pulled, mut received) = (0, 0);
        let pulls = std::cell::Cell::new(0);
        let input = (0..quick + 3_000).inspect(|x| {
            if *x > quick + 2_500 {
                thread::sleep(Duration::from_millis(2));
            }
            pulls.set(pulls.get() + 1);
        });
        for result in pool.imap(same, input) {
            assert_eq!(result?, received);
            if received > quick + 2_600 {
                pulled = pulled.max(pulls.get() - received);
            }
            received += 1;
        }
        assert_eq!(received, quick + 3_000);
        assert!(pulled < 200, "{pulled} items ahead of the results");
    }
    Ok(())
}

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

#[mp::process_target]
fn answers(x: u64, told: mp::QueueSender<u64>) {
    thread::sleep(Duration::from_micros(100));
    told.put(&x).unwrap();
}

/// Three at a time, and the next three only when those were run.
#[test]
fn an_input_may_wait_for_what_it_has_just_yielded() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).build()?;
    let (sender, told) = mp::Queue::unbounded()?.split();
    let input = (0..300).map(|x| {
        if x % 3 == 0 && x > 0 {
            let mut three: Vec<_> = (0..3).map(|_| told.get().unwrap()).collect();
            three.sort_unstable();
            assert_eq!(three, [x - 3, x - 2, x - 1]);
        }
        (x, sender.clone())
    });
    assert_eq!(pool.starmap(answers, input)?.len(), 300);
    Ok(())
}

#[derive(Deserialize)]
struct Loud(u64);

impl Serialize for Loud {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0 % 10, 2, "not this one");
        serializer.serialize_newtype_struct("Loud", &self.0)
    }
}

#[mp::process_target]
fn not_four(loud: Loud) -> u64 {
    assert_ne!(loud.0 % 10, 4);
    loud.0
}

#[test]
fn an_item_that_panics_keeps_its_index() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).build()?;
    let mut last = None;
    let mut results = pool.imap(not_four, (0..1000).map(Loud)).on_progress(|now| last = Some(*now));
    let (mut panics, mut indices, mut values) = (0, Vec::new(), Vec::new());
    loop {
        match catch_unwind(AssertUnwindSafe(|| results.next())) {
            Ok(Some(Ok(value))) => values.push(value),
            Ok(Some(Err(error))) => indices.push(error.facts().index()),
            Ok(None) => break,
            Err(_) => panics += 1,
        }
    }
    drop(results);
    assert_eq!(panics, 100);
    assert_eq!(indices, (0..100).map(|ten| 10 * ten + 4).collect::<Vec<_>>());
    assert_eq!(values, (0..1000).filter(|x| x % 10 != 2 && x % 10 != 4).collect::<Vec<_>>());
    let last = last.unwrap();
    assert_eq!((last.settled, last.failed, last.total), (1000, 200, Some(1000)));
    Ok(())
}

#[test]
fn a_map_has_no_more_pending_than_the_pool_allows() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).max_pending(5, 1 << 20).build()?;
    for options in [mp::TaskOptions::new(), mp::TaskOptions::new().chunk_size(items(1)).window(items(5_000))] {
        let mut count = 0;
        for result in pool.with(options).imap(same, 0..20_000) {
            assert_eq!(result?, count);
            count += 1;
            if count.is_multiple_of(10) {
                let stats = pool.stats();
                assert!(stats.pending + stats.outstanding <= 5, "{stats:?}");
            }
        }
        assert_eq!(count, 20_000);
    }
    Ok(())
}

#[mp::process_target]
fn not_the_first(x: u64) -> u64 {
    assert_ne!(x, 0);
    loop {
        thread::park();
    }
}

/// Each of them took back all the others, and put them into the queue again.
#[test]
fn a_large_window_is_cancelled_at_once() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(2).grace(Duration::ZERO).build()?;
    let tasks = pool.with(mp::TaskOptions::new().window(items(200_000)));
    assert!(matches!(tasks.imap(not_the_first, 0..200_000).fail_fast(), Err(mp::TaskError::Panicked(..))));
    assert_eq!(pool.call(same, (5,))?, 5);
    Ok(())
}
