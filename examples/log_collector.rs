//! Many processes write one log: their records go through a bounded queue to the one that writes.
//!
//! `cargo run --example log_collector -- [FILE]`
//!
//! A record that was put is there, whatever becomes of its process: one worker aborts, and its last words are read all the same. The log ends
//! with the last worker. Python's twin: a `Queue(maxsize=8)` with a `QueueHandler` in each process, where the last words of one that
//! aborts may be lost with its feeder thread, and the end is a `None` that somebody has to put.

use std::{
    collections::HashMap,
    env,
    error::Error,
    fs::File,
    io::{self, Write},
    process,
    time::{Duration, SystemTime},
};

use mp::{JoinError, QueueReceiver, QueueSender};
use multiprocess as mp;
use serde::{Deserialize, Serialize};

const WORKERS: u64 = 4;
const NUMBERS: u64 = 12;

#[derive(Debug, Serialize, Deserialize)]
enum Level {
    Info,
    Warn,
    Error,
}

#[derive(Serialize, Deserialize)]
struct Record {
    at: SystemTime,
    level: Level,
    worker: u64,
    text: String,
}

/// Follows its share of numbers down to 1, and logs each: worker 3 only as far as the seventh.
#[mp::process_target]
fn work(worker: u64, log: QueueSender<Record>) -> mp::Result<()> {
    let say = |level, text| log.put(&Record { at: SystemTime::now(), level, worker, text });
    for (index, number) in (worker * NUMBERS..).take(NUMBERS as usize).enumerate() {
        let next = |n: &u64| (*n > 1).then(|| if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 });
        let steps = std::iter::successors(Some(number), next).count() - 1;
        if (worker, index) == (3, 6) {
            say(Level::Error, "this goes wrong".to_owned())?;
            process::abort(); // nothing to flush
        }
        say(if steps > 100 { Level::Warn } else { Level::Info }, format!("{number} takes {steps} steps"))?;
    }
    Ok(())
}

/// Writes what comes until nobody can send more. Returns how many came from each worker.
fn collect(
    log: &QueueReceiver<Record>,
    start: SystemTime,
    mut out: impl Write,
) -> Result<HashMap<u64, u64>, Box<dyn Error>> {
    let mut counts = HashMap::new();
    for record in log {
        let Record { at, level, worker, text } = record?;
        let at = at.duration_since(start).unwrap_or(Duration::ZERO);
        writeln!(out, "{:>9.6} {level:<5?} worker {worker}: {text}", at.as_secs_f64())?;
        *counts.entry(worker).or_default() += 1;
    }
    Ok(counts)
}

fn main() -> Result<(), Box<dyn Error>> {
    let out: Box<dyn Write> = match env::args_os().nth(1) {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    };
    let start = SystemTime::now();
    let (to, log) = mp::Queue::bounded(8)?.split(); // who logs faster than we write waits
    let workers: Vec<_> = (1..=WORKERS).map(|n| mp::spawn(work, (n, to.clone()))).collect::<mp::Result<_>>()?;
    drop(to); // the log ends when nobody can write to it: we could
    let counts = collect(&log, start, out)?;
    for (number, worker) in (1..).zip(&workers) {
        let ended = worker.join();
        println!("worker {number}: {} records, {ended:?}", counts[&number]);
        let expected = if matches!(ended, Err(JoinError::Aborted(_))) { 7 } else { NUMBERS };
        assert_eq!(counts[&number], expected, "a record is missing");
    }
    Ok(())
}
