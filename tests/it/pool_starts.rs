//! Pools whose workers cannot be made ready any more, and pools with too much to do.

use std::time::{Duration, Instant};

use multiprocess as mp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::support::{increment, watchdog};

#[mp::process_target]
fn begins(started: mp::Value<u32>, bad: mp::Event) {
    started.fetch_add(1).unwrap();
    assert!(!bad.is_set(), "the table is gone");
}

#[test]
fn a_pool_gives_up_after_eight_starts_that_fail_and_not_in_haste() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (started, bad) = (mp::Value::new(0_u32)?, mp::Event::new()?);
    let pool = mp::Pool::builder().workers(1).initializer(begins, (started.clone(), bad.clone())).build()?;
    assert_eq!(pool.call(increment, (1,))?, 2);
    bad.set();
    let begun = Instant::now();
    kill(Pid::from_raw(pool.pids()[0] as i32), Signal::SIGKILL).unwrap();
    // Neither who waits already, nor who comes later, waits for ever.
    let waits: Vec<_> = (0..10).map(|x| pool.submit(increment, (x,))).collect::<Result<_, _>>()?;
    for task in waits {
        let error = task.join().unwrap_err();
        let text = format!("{:#}", mp::Error::from(error.clone()));
        assert!(matches!(error, mp::TaskError::Broken(..) | mp::TaskError::Killed(_)), "{error}");
        if matches!(error, mp::TaskError::Broken(..)) {
            assert!(text.contains("has given up") && text.contains("the table is gone"), "{text}");
        }
    }
    assert_eq!(started.get(), 1 + 8);
    // 10 ms, 20, and so on, half a second at most.
    assert!(begun.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80 + 160 + 320 + 500));
    assert!(pool.submit(increment, (1,)).unwrap_err().to_string().contains("has given up"));
    Ok(())
}

#[mp::process_target]
fn length_after(bytes: Vec<u8>, go: mp::Event) -> usize {
    go.wait();
    bytes.len()
}

#[test]
fn what_is_pending_is_bounded_in_bytes_as_well() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = mp::Pool::builder().workers(1).max_pending(1000, 10_000).build()?;
    let go = mp::Event::new()?;
    let submit = |length: usize| pool.try_submit(length_after, (vec![7; length], go.clone()));
    let mut tasks = Vec::new();
    // Two that the worker has, and ten thousand bytes: the one that makes it more is the last.
    while let Ok(task) = submit(4000) {
        tasks.push(task);
    }
    assert!((3..=5).contains(&tasks.len()), "{}", tasks.len());
    match submit(1) {
        Err(mp::TrySubmitError::Full((bytes, _))) => assert_eq!(bytes, [7]),
        other => panic!("{:?}", other.map(drop)),
    }
    go.set();
    for task in tasks {
        assert_eq!(task.join()?, 4000);
    }
    assert_eq!(submit(1)?.join()?, 1);
    Ok(())
}
