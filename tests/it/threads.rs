//! Many threads at once.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use multiprocess as mp;

use super::support::{increment, watchdog};

const STARTS: u64 = 10_000;

#[test]
fn eight_threads_start_and_join_while_another_allocates() {
    let _watchdog = watchdog();
    let (next, sum, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            // The allocator's locks are taken most of the time: a child that needed one would hang.
            while !done.load(Ordering::Relaxed) {
                let blocks: Vec<_> = (1..200).map(|size| vec![0_u8; size * 37]).collect();
                std::hint::black_box(blocks);
            }
        });
        let starters: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let x = next.fetch_add(1, Ordering::Relaxed);
                        if x >= STARTS {
                            return;
                        }
                        let y = mp::spawn(increment, (x,)).unwrap().join().unwrap();
                        sum.fetch_add(y - x, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let finished: Vec<_> = starters.into_iter().map(|starter| starter.join()).collect();
        done.store(true, Ordering::Relaxed);
        assert!(finished.iter().all(Result::is_ok));
    });
    assert_eq!(sum.into_inner(), STARTS);
}

#[test]
fn handles_are_send_and_sync() {
    fn check<T: Send + Sync + 'static>() {}
    check::<mp::Process<std::cell::Cell<u8>>>();
    check::<mp::Process<mp::Untyped>>();
    check::<mp::Error>();
    check::<mp::JoinError>();
    check::<mp::Handle<std::fs::File>>();
    check::<mp::CurrentProcess>();
    check::<mp::ParentProcess>();
    check::<mp::AuthKey>();
    check::<mp::Stdio>();
}
