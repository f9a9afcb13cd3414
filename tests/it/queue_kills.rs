//! Queues, while those who use them are killed at random moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use mp::__private::queue_census;
use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::support::{Dice, soak, watchdog_of_soak};

const LONG: Duration = Duration::from_secs(60);
const SIDE: usize = 4;

/// What is put: who, which, and bytes that follow from both.
#[derive(Serialize, Deserialize)]
struct Item {
    producer: u64,
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

impl Item {
    fn new(producer: u64, number: u64) -> Self {
        let mut dice = Dice::of(producer << 32 | number);
        let exponent = dice.roll() % 22;
        // Large ones are rare, so that all is not about them.
        let exponent = if exponent > 12 && !dice.roll().is_multiple_of(16) { exponent % 12 } else { exponent };
        let size = (1 << exponent) + (dice.roll() as usize & ((1 << exponent) - 1));
        let bytes: Vec<u8> = (0..size).map(|index| (index as u64 ^ number) as u8).collect();
        let checksum = checksum(&bytes);
        Self { producer, number, bytes, checksum }
    }

    fn is_whole(&self) -> bool {
        self.checksum == checksum(&self.bytes)
    }
}

/// How far a producer is: `begun` before an item is put, `put` after. In memory, as it may be killed in between.
#[derive(Clone, Serialize, Deserialize)]
struct Progress {
    begun: mp::RawValue<AtomicU64>,
    put: mp::RawValue<AtomicU64>,
}

#[mp::process_target]
fn produces(queue: mp::Queue<Item>, producer: u64, progress: Progress, stop: mp::Event, many: bool) {
    let mut number = 0;
    while !stop.is_set() {
        let count = if many { 5 } else { 1 };
        let items: Vec<_> = (number..number + count).map(|number| Item::new(producer, number)).collect();
        number += count;
        progress.begun.store(number, SeqCst);
        if many {
            queue.put_many(&items).unwrap();
        } else {
            queue.put(&items[0]).unwrap();
        }
        progress.put.store(number, SeqCst);
    }
}

/// What came, in a form that survives its receiver: the producer, the number, and whether it was whole.
type Line = (u64, u64, bool);
type Log = mp::Sender<Line>;
type Consumer = (mp::Process<()>, mp::Receiver<Line>);

#[mp::process_target]
fn consumes(queue: mp::Queue<Item>, log: Log, many: bool) {
    loop {
        if many {
            let Ok(batch) = queue.get_many(7) else { return };
            for item in batch {
                let item = item.unwrap();
                log.send(&(item.producer, item.number, item.is_whole())).unwrap();
            }
        } else {
            let Ok(item) = queue.get() else { return };
            log.send(&(item.producer, item.number, item.is_whole())).unwrap();
        }
    }
}

/// Nothing is lost but what dead consumers held, nothing comes twice, nothing is torn, each producer's order is kept, nobody waits for the dead,
/// and no memory is lost.
fn storm(bound: Option<usize>, many: bool) -> mp::Result<()> {
    let _watchdog = watchdog_of_soak();
    let queue = match bound {
        Some(bound) => mp::Queue::<Item>::bounded(bound)?,
        None => mp::Queue::<Item>::unbounded()?,
    };
    let stop = mp::Event::new()?;
    let (mut logs, mut all) = (Vec::new(), BTreeMap::new());
    let mut next = 0_u64;
    let mut produce = || -> mp::Result<mp::Process<()>> {
        let progress = Progress { begun: mp::RawValue::new(0)?, put: mp::RawValue::new(0)? };
        all.insert(next, progress.clone());
        let arguments = (queue.clone(), next, progress, stop.clone(), many);
        next += 1;
        mp::Process::new(produces, arguments).start()
    };
    let consume = || -> mp::Result<Consumer> {
        let (log, from) = mp::channel()?;
        Ok((mp::Process::new(consumes, (queue.clone(), log, many)).start()?, from))
    };
    let mut producers: Vec<_> = (0..SIDE).map(|_| produce()).collect::<mp::Result<_>>()?;
    let mut consumers: Vec<_> = (0..SIDE).map(|_| consume()).collect::<mp::Result<_>>()?;
    let (began, mut dice, mut dead_consumers) = (Instant::now(), Dice::of(bound.unwrap_or(0) as u64), 0);
    let mut kills = 0;
    while began.elapsed() < soak() {
        thread::sleep(Duration::from_micros(dice.roll() % 20_000));
        // Their logs are read meanwhile: a full one would hold them up.
        for (_, from) in &consumers {
            while let Ok(line) = from.try_recv() {
                logs.push(line);
            }
        }
        let index = (dice.roll() >> 20) as usize % SIDE;
        match dice.roll() >> 30 & 3 {
            0 => {
                producers[index].kill()?;
                producers[index].join().unwrap_err();
                producers[index] = produce()?;
                kills += 1;
            }
            1 => {
                consumers[index].0.kill()?;
                consumers[index].0.join().unwrap_err();
                logs.extend(consumers[index].1.iter().map(Result::unwrap));
                consumers[index] = consume()?;
                dead_consumers += 1;
                kills += 1;
            }
            _ => {}
        }
    }
    assert!(kills > 10, "{kills}");
    stop.set();
    thread::scope(|scope| {
        let readers: Vec<_> = consumers
            .iter()
            .map(|(_, from)| scope.spawn(move || from.iter().map(Result::unwrap).collect::<Vec<_>>()))
            .collect();
        for producer in &producers {
            assert!(producer.join_timeout(LONG).is_some_and(|joined| joined.is_ok()), "a producer waits for ever");
        }
        queue.shutdown().unwrap();
        for (consumer, _) in &consumers {
            assert!(consumer.join_timeout(LONG).is_some_and(|joined| joined.is_ok()), "a consumer waits for ever");
        }
        for reader in readers {
            logs.extend(reader.join().unwrap());
        }
    });
    check(&logs, &all, dead_consumers * if many { 7 } else { 1 });
    assert!(queue.is_empty());
    let (segments, free) = queue_census(&queue)?;
    assert_eq!(free, segments - 1, "segments are missing");
    Ok(())
}

fn check(logs: &[Line], all: &BTreeMap<u64, Progress>, most_lost: u64) {
    let mut seen = BTreeMap::<u64, BTreeSet<u64>>::new();
    for (producer, number, is_whole) in logs {
        assert!(is_whole, "item {number} of {producer} is torn");
        assert!(seen.entry(*producer).or_default().insert(*number), "item {number} of {producer} came twice");
    }
    let mut lost = 0;
    for (producer, progress) in all {
        let (begun, put) = (progress.begun.load(SeqCst), progress.put.load(SeqCst));
        let seen = seen.remove(producer).unwrap_or_default();
        assert!(seen.last().is_none_or(|last| *last < begun), "an item that nobody put");
        lost += (0..put).filter(|number| !seen.contains(number)).count() as u64;
    }
    assert!(seen.is_empty());
    assert!(lost <= most_lost, "{lost} items are lost, and only {most_lost} can be of dead consumers");
}

#[test]
fn random_kills_around_a_queue() -> mp::Result<()> {
    storm(None, false)
}

#[test]
fn random_kills_around_a_bounded_queue() -> mp::Result<()> {
    storm(Some(3), false)
}

#[test]
fn random_kills_around_a_queue_of_many_at_a_time() -> mp::Result<()> {
    storm(Some(50), true)
}

#[mp::process_target]
fn does(queue: mp::JoinableQueue<Item>, done: mp::Array<u64>) {
    for item in &queue {
        let item = item.unwrap();
        assert!(item.is_whole());
        let mut guard = done.lock().or_else(mp::LockError::recover).unwrap();
        guard[item.number as usize] += 1;
        drop(guard);
        item.task_done().unwrap();
    }
}

/// All items are done, whoever dies, and `join` ends. One that was killed between its work and its word may have done it, so some are done twice.
#[test]
fn all_is_done_though_those_who_do_it_are_killed() -> mp::Result<()> {
    let _watchdog = watchdog_of_soak();
    let (began, mut dice) = (Instant::now(), Dice::of(3));
    while began.elapsed() < soak() {
        const COUNT: u64 = 400;
        let queue = mp::JoinableQueue::<Item>::bounded(100)?;
        let done = mp::Array::<u64>::new(COUNT as usize)?;
        let start = || mp::Process::new(does, (queue.clone(), done.clone())).start();
        let mut workers: Vec<_> = (0..3).map(|_| start()).collect::<mp::Result<_>>()?;
        let mut deaths = 0;
        for number in 0..COUNT {
            queue.put_timeout(&Item::new(0, number), LONG)?;
            if dice.roll().is_multiple_of(20) {
                let index = dice.roll() as usize % workers.len();
                workers[index].kill()?;
                workers[index].join().unwrap_err();
                workers[index] = start()?;
                deaths += 1;
            }
        }
        assert!(queue.join_timeout(LONG)?, "{} are left", queue.unfinished());
        queue.shutdown()?;
        for worker in &workers {
            worker.join()?;
        }
        let done = done.lock().or_else(mp::LockError::recover)?;
        assert!(done.iter().all(|times| *times >= 1), "some are not done");
        let twice: u64 = done.iter().map(|times| times - 1).sum();
        assert!(twice <= deaths, "{twice} are done more than once, and {deaths} were killed");
        drop(done);
        let (all, free) = queue_census(&queue)?;
        assert_eq!(free, all - 1);
    }
    Ok(())
}
