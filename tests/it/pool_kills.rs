//! Pools, while their workers are killed at random moments: every item is settled once, with its own value or with the death of its own
//! worker, and nothing is left behind.

use std::{
    num::NonZeroUsize,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::support::{Dice, Owned, owned, soak, watchdog, watchdog_of_soak};

/// Bytes that follow from a number, and what they should sum up to.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Packet {
    number: u64,
    bytes: Vec<u8>,
    checksum: u64,
}

fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from_le_bytes(word)
    })
}

impl Packet {
    pub(crate) fn new(number: u64, size: usize) -> Self {
        let bytes: Vec<u8> = (0..size).map(|index| (index as u64).wrapping_mul(number | 1).to_le_bytes()[1]).collect();
        let checksum = checksum(&bytes);
        Self { number, bytes, checksum }
    }

    /// From one byte to a mebibyte; large ones are rare, so that all is not about them.
    fn of_some_size(number: u64) -> Self {
        let mut dice = Dice::of(number);
        let exponent = dice.roll() % 21;
        let exponent = if exponent > 12 && !dice.roll().is_multiple_of(16) { exponent % 12 } else { exponent };
        let size = (1 << exponent) + (dice.roll() as usize & ((1 << exponent) - 1));
        Self::new(number, size.min(1 << 20))
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.checksum == checksum(&self.bytes)
    }
}

#[mp::process_target]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

/// Another packet of the same size for one that is whole.
#[mp::process_target]
fn answer(packet: Packet) -> Packet {
    assert!(packet.is_whole(), "{} came torn", packet.number);
    Packet::new(packet.number + 1, packet.bytes.len())
}

/// Takes some time, so that there is somebody to kill in the middle of it.
#[mp::process_target]
fn works(x: u64, microseconds: u64) -> u64 {
    super::support::spin(Duration::from_micros(microseconds));
    x + 7
}

/// Whether it is a worker of this process, and not somebody who has got the number of one; and whether it has begun to be one: it has
/// a group of its own then.
fn is_worker(pid: u32) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ').skip(1);
    let (parent, group): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (parent == std::process::id()).then_some(group == pid)
}

/// Kills random workers every few milliseconds while `work` goes on. Returns what that returns, and how many there were.
fn under_fire<S: 'static, R>(pool: &mp::Pool<S>, most_pause: u64, work: impl FnOnce() -> R) -> (R, u64) {
    /// A panic in `work` is to be heard of, not waited for.
    struct AtTheEnd<'a>(&'a AtomicBool);
    impl Drop for AtTheEnd<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let (mut dice, mut kills, mut was_young) = (Dice::new(), 0, false);
            while !is_over.load(SeqCst) {
                thread::sleep(Duration::from_micros(dice.roll() % most_pause));
                let pids = pool.pids();
                let Some(pid) = pids.get(dice.roll() as usize % pids.len().max(1)) else { continue };
                // After three in a row that were not ready yet the pool is right to give up.
                let Some(is_old) = is_worker(*pid).filter(|is_old| *is_old || !was_young) else { continue };
                was_young = !is_old;
                kills += u64::from(kill(Pid::from_raw(*pid as i32), Signal::SIGKILL).is_ok());
            }
            kills
        });
        let at_the_end = AtTheEnd(&is_over);
        let result = work();
        drop(at_the_end);
        (result, killer.join().unwrap())
    })
}

fn pool() -> mp::Pool {
    mp::Pool::builder().workers(3).build().unwrap()
}

fn forgiving() -> mp::TaskOptions {
    mp::TaskOptions::new().retries(1000)
}

/// Runs rounds of something until the soak is over. Returns how many.
fn rounds(mut one: impl FnMut(u64)) -> u64 {
    let began = Instant::now();
    let mut round = 0;
    while began.elapsed() < soak() {
        one(round);
        round += 1;
    }
    round
}

/// What this process owned before and after `storm`, which is run twice: the first time may make things that stay.
fn nothing_is_left(storm: impl Fn()) -> (Owned, Owned) {
    storm();
    let before = settled(None);
    storm();
    let after = settled(Some(&before));
    (before, after)
}

/// What this process owns when what is ending has ended.
fn settled(expected: Option<&Owned>) -> Owned {
    let began = Instant::now();
    loop {
        let now = owned();
        let is_it = expected.map_or(now.children.is_empty() && now.threads == 1, |expected| now == *expected);
        if is_it || began.elapsed() > Duration::from_secs(10) {
            return now;
        }
        thread::yield_now();
    }
}

fn in_a_child(target: impl mp::Target<Args = (), Output = (Owned, Owned)>) -> mp::Result<()> {
    let _watchdog = watchdog_of_soak();
    let (before, after) = mp::spawn(target, ())?.join()?;
    assert_eq!(before, after);
    assert_eq!(before.children, [] as [String; 0]);
    Ok(())
}

#[mp::process_target]
fn small_ones_with_retries() -> (Owned, Owned) {
    nothing_is_left(|| {
        let pool = pool();
        let tasks = pool.with(forgiving());
        let (_, kills) = under_fire(&pool, 10_000, || {
            rounds(|round| {
                let first = round * 1_000_003;
                let results = tasks.map(square, first..first + 20_000).unwrap();
                let expected = (first..first + 20_000).map(|x| x.wrapping_mul(x));
                assert!(results.into_iter().eq(expected), "round {round}");
            })
        });
        assert!(kills > 10, "{kills}");
    })
}

#[test]
fn random_kills_of_workers_and_all_is_done_by_retries() -> mp::Result<()> {
    in_a_child(small_ones_with_retries)
}

#[mp::process_target]
fn small_ones_without_retries() -> (Owned, Owned) {
    nothing_is_left(|| {
        let pool = pool();
        let tasks = mp::Tasks::on(&pool);
        let deaths = AtomicU64::new(0);
        let (_, kills) = under_fire(&pool, 10_000, || {
            rounds(|round| {
                let mut index = 0;
                let items = (0..5_000).map(|x| (x, if x % 64 == 0 { 300 } else { 1 }));
                for result in tasks.istarmap(works, items) {
                    match result {
                        Ok(value) => assert_eq!(value, index + 7),
                        Err(mp::TaskError::Killed(facts)) => {
                            assert_eq!((facts.index(), facts.attempt()), (index, 1), "round {round}");
                            deaths.fetch_add(1, Relaxed);
                        }
                        Err(other) => panic!("{other}"),
                    }
                    index += 1;
                }
                assert_eq!(index, 5_000, "round {round}");
            })
        });
        let deaths = deaths.into_inner();
        assert!(kills > 10 && deaths > 0, "{kills} kills, {deaths} deaths");
        assert!(deaths <= kills, "{deaths} tasks have failed, and {kills} workers were killed");
    })
}

#[test]
fn random_kills_of_workers_cost_one_task_each_at_most() -> mp::Result<()> {
    in_a_child(small_ones_without_retries)
}

#[mp::process_target]
fn all_sizes() -> (Owned, Owned) {
    nothing_is_left(|| {
        let pool = pool();
        let tasks = pool.with(forgiving());
        let (_, kills) = under_fire(&pool, 20_000, || {
            rounds(|round| {
                let numbers = round * 1_000..round * 1_000 + 500;
                let mut expected = numbers.clone();
                for result in tasks.imap(answer, numbers.map(Packet::of_some_size)) {
                    let (result, number) = (result.unwrap(), expected.next().unwrap());
                    assert_eq!(result.number, number + 1);
                    assert_eq!(result.bytes.len(), Packet::of_some_size(number).bytes.len());
                    assert!(result.is_whole(), "{number} is torn");
                }
                assert_eq!(expected.next(), None);
            })
        });
        assert!(kills > 10, "{kills}");
    })
}

#[test]
fn random_kills_around_arguments_and_results_of_all_sizes() -> mp::Result<()> {
    in_a_child(all_sizes)
}

#[mp::process_target]
fn all_sizes_without_retries() -> (Owned, Owned) {
    nothing_is_left(|| {
        let pool = pool();
        let deaths = AtomicU64::new(0);
        let (_, kills) = under_fire(&pool, 20_000, || {
            rounds(|_| {
                let mut seen = [0_u8; 500];
                for result in pool.imap_unordered(answer, (0..500).map(Packet::of_some_size)) {
                    let index = match result {
                        Ok(packet) => {
                            assert!(packet.is_whole(), "{} is torn", packet.number);
                            packet.number - 1
                        }
                        Err(mp::TaskError::Killed(facts)) => {
                            deaths.fetch_add(1, Relaxed);
                            facts.index()
                        }
                        Err(other) => panic!("{other}"),
                    };
                    seen[index as usize] += 1;
                }
                assert_eq!(seen, [1; 500]);
            })
        });
        let deaths = deaths.into_inner();
        assert!(kills > 10 && deaths > 0 && deaths <= kills, "{kills} kills, {deaths} deaths");
    })
}

#[test]
fn random_kills_around_all_sizes_cost_one_task_each_at_most() -> mp::Result<()> {
    in_a_child(all_sizes_without_retries)
}

/// Maps, single tasks and workers that are replaced for their age, from several threads at once.
#[mp::process_target]
fn many_threads() -> (Owned, Owned) {
    nothing_is_left(|| {
        let pool = mp::Pool::builder().workers(3).max_tasks_per_child(200).retries(1000).build().unwrap();
        let one_by_one = mp::TaskOptions::new().retries(1000).chunk_size(NonZeroUsize::MIN);
        let (_, kills) = under_fire(&pool, 10_000, || {
            thread::scope(|scope| {
                scope.spawn(|| {
                    rounds(|round| {
                        let results = pool.map(square, 0..3_000).unwrap();
                        assert!(results.into_iter().eq((0..3_000).map(|x| x * x)), "round {round}");
                    })
                });
                scope.spawn(|| {
                    rounds(|_| {
                        let tasks: Vec<_> = (0..300).map(|x| pool.submit(works, (x, 20)).unwrap()).collect();
                        for (x, task) in tasks.iter().enumerate().rev() {
                            assert_eq!(task.join().unwrap(), x as u64 + 7);
                        }
                    })
                });
                scope.spawn(|| {
                    rounds(|round| assert_eq!(pool.call(works, (round, 50)).unwrap(), round + 7));
                });
                scope.spawn(|| {
                    rounds(|_| {
                        let results = pool.with(one_by_one.clone()).imap_unordered(square, 0..500);
                        assert_eq!(results.map(Result::unwrap).sum::<u64>(), (0..500).map(|x| x * x).sum::<u64>());
                    })
                });
            });
        });
        assert!(kills > 10, "{kills}");
        pool.shutdown(false).unwrap();
    })
}

#[test]
fn random_kills_while_many_threads_use_the_pool() -> mp::Result<()> {
    in_a_child(many_threads)
}

/// Pools that are dropped, terminated or closed while their workers die.
#[mp::process_target]
fn ends() -> (Owned, Owned) {
    nothing_is_left(|| {
        let mut kills = 0;
        let times = rounds(|round| {
            let pool = pool();
            let (tasks, killed) = under_fire(&pool, 3_000, || {
                let tasks: Vec<_> = (0..200).map(|x| pool.submit(works, (x, 100)).unwrap()).collect();
                match round % 3 {
                    0 => pool.terminate(),
                    1 => pool.shutdown(true).unwrap(),
                    _ => pool.shutdown(false).unwrap(),
                }
                tasks
            });
            drop(pool);
            kills += killed;
            for (task, x) in tasks.iter().zip(0..) {
                match task.join() {
                    Ok(value) => assert_eq!(value, x + 7),
                    Err(mp::TaskError::Cancelled(_)) if round % 3 < 2 => {}
                    Err(mp::TaskError::Killed(_)) => {}
                    Err(other) => panic!("round {round}: {other}"),
                }
            }
        });
        // A pool that does all that it has while its workers die takes as long as it takes.
        assert!(kills > 10 && times > 0, "{kills} kills in {times} rounds");
    })
}

#[test]
fn random_kills_while_pools_end() -> mp::Result<()> {
    in_a_child(ends)
}

/// A thread that waits is told of workers that were ready before anybody asked them to say so.
#[test]
fn workers_that_are_replaced_while_somebody_waits_are_given_tasks() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool();
    let tasks = pool.with(forgiving());
    for round in 0..1_000 {
        for pid in pool.pids() {
            if is_worker(pid) == Some(true) {
                kill(Pid::from_raw(pid as i32), Signal::SIGKILL).ok();
            }
        }
        assert_eq!(tasks.call(square, (round,))?, round * round);
    }
    assert!(pool.restarts() > 1_000);
    Ok(())
}
