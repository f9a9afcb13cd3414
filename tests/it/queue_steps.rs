//! A process is killed at each step of what it does in a queue; the others go on as if it had been before or after.

use std::{thread, time::Duration};

use mp::__private::queue_census;
use multiprocess as mp;

use super::support::{eventually, is_polling, is_waiting, watchdog};

const LONG: Duration = Duration::from_secs(60);

/// A number, what makes it large, and perhaps a handle.
type Item = (u32, Vec<u8>, Option<mp::Sender<u32>>);

/// What a victim puts: its number of bytes, and whether a handle comes along.
const KINDS: [(usize, bool); 4] = [(8, false), (200_000, false), (8, true), (200_000, true)];

fn item(number: u32, (size, has_handle): (usize, bool)) -> Item {
    let handle = has_handle.then(|| mp::channel().unwrap().0);
    (number, vec![number as u8; size], handle)
}

fn check((number, bytes, handle): &Item, (size, has_handle): (usize, bool)) {
    assert!(bytes.len() == size && bytes.iter().all(|byte| *byte == *number as u8), "{number}");
    assert_eq!(handle.is_some(), has_handle, "{number}");
}

/// Puts items until it is killed, so that all steps are passed, those of a new segment too.
#[mp::process_target]
fn puts(queue: mp::Queue<Item>, kind: (usize, bool), count: u32) {
    for number in 0..count {
        queue.put(&item(number, kind)).unwrap();
    }
}

#[mp::process_target]
fn gets(queue: mp::Queue<Item>, count: u32) {
    for _ in 0..count {
        queue.get().unwrap();
    }
}

/// All segments but the one that the next item goes into are free.
fn check_memory(queue: &mp::Queue<Item>, what: &str) {
    let (all, free) = queue_census(queue).unwrap();
    assert_eq!(free, all - 1, "{what}: segments are missing");
}

/// With each step: whether it comes after the commit. A mutex is first that of other memory.
const PUT_STEPS: [(&str, Option<bool>); 14] = [
    ("mutex-taken", None),
    ("mutex-entered", None),
    ("queue-chain-taken", Some(false)),
    ("queue-chain-owned", Some(false)),
    ("queue-segment-taken", Some(false)),
    ("queue-descriptors-sent", Some(false)),
    ("queue-item-written", Some(false)),
    ("queue-chain-queued", Some(false)),
    ("queue-told", Some(false)),
    ("queue-before-commit", Some(false)),
    ("queue-committed", Some(true)),
    ("queue-before-wake", Some(true)),
    ("mutex-left", None),
    ("mutex-free", None),
];

#[test]
fn a_put_is_whole_or_was_never_there_wherever_its_process_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (step, _) in PUT_STEPS {
        for kind in KINDS {
            let queue = mp::Queue::<Item>::unbounded()?;
            queue.put(&item(77, KINDS[0]))?;
            let count = if kind == KINDS[0] { 5000 } else { 50 };
            let victim =
                mp::Process::new(puts, (queue.clone(), kind, count)).env("MULTIPROCESS_FAULT", step).start()?;
            let died = victim.join().is_err();
            queue.put_timeout(&item(88, KINDS[3]), LONG)?;
            check(&queue.get_timeout(LONG)?, KINDS[0]);
            let mut expected = 0;
            loop {
                let next = queue.get_timeout(LONG)?;
                if next.0 == 88 && next.2.is_some() && next.1.len() == KINDS[3].0 && queue.is_empty() {
                    break;
                }
                assert_eq!(next.0, expected, "{step} {kind:?}");
                check(&next, kind);
                expected += 1;
            }
            assert!(died || expected == count, "{step} {kind:?}: {expected}");
            check_memory(&queue, step);
        }
    }
    Ok(())
}

/// One item, put by one who dies in the middle, comes to one who waits, without anybody else's help; or it does not come.
#[test]
fn who_waits_gets_what_was_put_by_one_who_died_before_he_could_say_so() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (step, is_after) in PUT_STEPS {
        // The second time the waiter has waited for so long that it sleeps on the descriptor.
        for is_long in [false, true] {
            let queue = mp::Queue::<Item>::unbounded()?;
            let got = thread::scope(|scope| {
                let (tell, told) = std::sync::mpsc::channel();
                let waiter = scope.spawn({
                    let queue = &queue;
                    move || {
                        tell.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
                        queue.get_timeout(LONG).unwrap()
                    }
                });
                let waiter_is = told.recv().unwrap();
                eventually("it to wait", || if is_long { is_polling(waiter_is) } else { is_waiting(waiter_is) });
                let victim = mp::Process::new(puts, (queue.clone(), KINDS[0], 1))
                    .env("MULTIPROCESS_FAULT", step)
                    .start()
                    .unwrap();
                let died = victim.join().is_err();
                if died && is_after != Some(true) {
                    queue.put(&item(99, KINDS[0])).unwrap();
                }
                (died, waiter.join().unwrap().0)
            });
            match got {
                (true, number) if is_after.is_none() => assert!(number == 0 || number == 99, "{step} {is_long}"),
                (true, number) => assert_eq!(number, if is_after == Some(true) { 0 } else { 99 }, "{step} {is_long}"),
                (false, number) => assert_eq!(number, 0, "{step} {is_long}"),
            }
        }
    }
    Ok(())
}

const GET_STEPS: [&str; 13] = [
    "mutex-taken",
    "mutex-entered",
    "queue-chain-staked",
    "queue-chain-left",
    "queue-chain-taken-out",
    "queue-before-commit",
    "queue-committed",
    "queue-before-wake",
    "queue-descriptors-left",
    "queue-segment-back",
    "queue-told",
    "mutex-left",
    "mutex-free",
];

#[test]
fn a_get_takes_one_item_or_none_wherever_its_process_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in GET_STEPS {
        for kind in KINDS {
            let queue = mp::Queue::<Item>::unbounded()?;
            let count = if kind == KINDS[0] { 3000 } else { 50 };
            for number in 0..count {
                queue.put(&item(number, kind))?;
            }
            let victim = mp::Process::new(gets, (queue.clone(), count - 1)).env("MULTIPROCESS_FAULT", step).start()?;
            let _died = victim.join().is_err();
            let first = queue.get_timeout(LONG)?;
            check(&first, kind);
            let mut expected = first.0 + 1;
            queue.put_timeout(&item(u32::MAX, KINDS[0]), LONG)?;
            while expected < count {
                let next = queue.get_timeout(LONG)?;
                assert_eq!(next.0, expected, "{step} {kind:?}");
                check(&next, kind);
                expected += 1;
            }
            assert_eq!(queue.get_timeout(LONG)?.0, u32::MAX);
            assert!(queue.is_empty());
            check_memory(&queue, step);
        }
    }
    Ok(())
}

#[mp::process_target]
fn takes_one(queue: mp::JoinableQueue<Item>) {
    let taken = queue.get().unwrap();
    taken.task_done().unwrap();
}

const HOLD_STEPS: [(&str, Option<bool>); 11] = [
    ("queue-chain-taken", Some(true)),
    ("queue-chain-owned", Some(true)),
    ("queue-hold-staked", Some(true)),
    ("queue-item-held", Some(true)),
    ("queue-before-commit", Some(true)),
    ("queue-committed", Some(true)),
    ("queue-before-wake", Some(true)),
    ("queue-item-done", Some(false)),
    ("queue-segment-back", None),
    ("queue-item-freed", Some(false)),
    ("mutex-free", None),
];

#[test]
fn an_item_that_was_taken_comes_back_wherever_its_taker_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for (step, comes_back) in HOLD_STEPS {
        for kind in KINDS {
            let queue = mp::JoinableQueue::<Item>::unbounded()?;
            queue.put(&item(5, kind))?;
            let victim = mp::Process::new(takes_one, (queue.clone(),)).env("MULTIPROCESS_FAULT", step).start()?;
            let died = victim.join().is_err();
            if comes_back == Some(true) && died {
                let taken = queue.get_timeout(LONG)?;
                check(&taken, kind);
                assert!((1..=2).contains(&taken.deliveries()), "{step}");
                assert_eq!(queue.unfinished(), 1, "{step}");
                if let Some(sender) = &taken.2 {
                    // The handle is a living one: its receiver is gone.
                    assert!(matches!(sender.send(&1), Err(mp::SendError::Disconnected)));
                }
            } else if comes_back.is_none() && died {
                drop(queue.get_timeout(Duration::from_millis(300)));
            }
            assert!(queue.join_timeout(LONG)?, "{step} {kind:?}");
            assert!(matches!(queue.try_get(), Err(mp::RecvError::TimedOut)), "{step}");
            let (all, free) = queue_census(&queue)?;
            assert_eq!(free, all - 1, "{step} {kind:?}");
        }
    }
    Ok(())
}

#[mp::process_target]
fn shuts(queue: mp::Queue<u32>) {
    queue.shutdown().unwrap();
}

/// Both sides are told, or it was never said.
#[test]
fn a_shutdown_is_told_or_was_never_said_wherever_its_process_dies() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["queue-told", "queue-shut-told", "queue-shut"] {
        for is_full in [true, false] {
            let queue = mp::Queue::bounded(1)?;
            if is_full {
                queue.put(&1)?;
            }
            thread::scope(|scope| {
                let (tell, told) = std::sync::mpsc::channel();
                let waiter = scope.spawn({
                    let queue = &queue;
                    move || {
                        tell.send(nix::unistd::gettid().as_raw().cast_unsigned()).unwrap();
                        let waited = if is_full {
                            queue.put(&2).map_err(mp::Error::from)
                        } else {
                            queue.get().map(drop).map_err(mp::Error::from)
                        };
                        assert!(waited.unwrap_err().is_disconnected());
                    }
                });
                let waiter_is = told.recv().unwrap();
                eventually("it to sleep on the descriptor", || is_polling(waiter_is));
                let victim = mp::Process::new(shuts, (queue.clone(),)).env("MULTIPROCESS_FAULT", step).start().unwrap();
                victim.join().unwrap_err();
                if step != "queue-shut" {
                    queue.shutdown().unwrap();
                }
                waiter.join().unwrap();
            });
        }
    }
    Ok(())
}

#[mp::process_target]
fn looks(queue: mp::Queue<Item>) {
    queue.try_get().ok();
}

/// Who watches the descriptor is woken for nothing once at most: the next look puts it right.
#[test]
fn a_descriptor_is_right_again_after_a_death_at_the_bell() -> mp::Result<()> {
    let _watchdog = watchdog();
    let is_ready = |queue: &mp::Queue<Item>| !mp::wait(&[queue], Some(Duration::ZERO)).unwrap().is_empty();
    for step in ["queue-moving", "queue-sent", "queue-told", "queue-raised", "queue-drained"] {
        let queue = mp::Queue::<Item>::unbounded()?;
        assert!(!is_ready(&queue), "{step}");
        let victim = mp::Process::new(puts, (queue.clone(), KINDS[0], 1)).env("MULTIPROCESS_FAULT", step).start()?;
        if victim.join().is_ok() {
            // It has put one; now somebody takes it, and dies when it puts the descriptor right.
            let victim = mp::Process::new(gets, (queue.clone(), 1)).env("MULTIPROCESS_FAULT", step).start()?;
            victim.join().unwrap_err();
        }
        assert!(matches!(queue.try_get(), Err(mp::RecvError::TimedOut)), "{step}");
        assert!(!is_ready(&queue), "{step}");
        queue.put(&item(3, KINDS[0]))?;
        assert!(is_ready(&queue), "{step}");
        let victim = mp::Process::new(looks, (queue.clone(),)).env("MULTIPROCESS_FAULT", step).start()?;
        drop(victim.join());
        drop(queue.try_get());
        assert!(!is_ready(&queue), "{step}");
    }
    Ok(())
}
