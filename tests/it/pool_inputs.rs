//! Inputs of maps that take their time: what was taken from them is not kept back.

use std::{thread, time::Duration};

use multiprocess as mp;

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
