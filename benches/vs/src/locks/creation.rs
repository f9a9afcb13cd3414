//! To make locks, and what they cost in memory.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{partner::alone, said};
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::{median, take_turns},
};

const COUNT: u32 = 10_000;
const KEPT: u32 = 100_000;
const CPYTHONS: u32 = 200;
/// What a microsecond for each takes, of which the target speaks.
const WANTED: Duration = Duration::from_micros(1);

/// What a child found that made many locks, after the first one, and dropped them.
#[derive(Serialize, Deserialize)]
struct Kept {
    made: Duration,
    dropped: Duration,
    bytes: u64,
}

#[mp::process_target]
fn keep(count: u32) -> Result<Kept, String> {
    let _first = mp::Lock::new().map_err(said)?;
    let mut locks = Vec::with_capacity(count as usize);
    let before = shared_bytes().map_err(said)?;
    let start = Instant::now();
    for _ in 0..count {
        locks.push(mp::Lock::new().map_err(said)?);
    }
    let made = start.elapsed();
    let bytes = shared_bytes().map_err(said)? - before;
    let start = Instant::now();
    drop(locks);
    Ok(Kept { made, dropped: start.elapsed(), bytes })
}

/// How much memory this process's memfds have: what is really there of them.
fn shared_bytes() -> std::io::Result<u64> {
    let mut blocks = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // One of them is that of the folder itself, and gone.
        if fs::read_link(&path).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:")) {
            blocks += fs::metadata(&path)?.blocks();
        }
    }
    Ok(blocks * 512)
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let cpython = CPython::start(report);
    let _first = mp::Lock::new()?;
    let (mut dropped, mut bytes) = (Vec::new(), 0);
    let [of_new, of_kept, of_cpython] = take_turns(
        rounds,
        [
            &mut || alone(COUNT, || mp::Lock::new().map(drop).map_err(said)),
            &mut || {
                let kept = mp::spawn(keep, (KEPT,))?.join()??;
                dropped.push(kept.dropped);
                bytes = kept.bytes;
                Ok(kept.made / (KEPT / COUNT))
            },
            &mut || cpython.time(&format!("alone new {CPYTHONS}"), CPYTHONS, COUNT),
        ],
    )?;
    let of_drop = median(&mut dropped) / (KEPT / COUNT);

    report.section("make a lock", rounds, Measure::NanosEach(COUNT), ("1 µs", WANTED * COUNT));
    report.line("multiprocess, new Lock and drop", of_new);
    report.line("multiprocess, 100,000 new Locks, in a new process", of_kept);
    report.line("multiprocess, and their drop", of_drop);
    report.verdict(Target::AtMost(1.00), "µs for a new Lock and its drop", of_new, WANTED * COUNT);
    report.verdict(Target::AtMost(1.00), "µs for each of 100,000 new Locks", of_kept, WANTED * COUNT);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, new Lock and drop"), of_cpython);
    }
    let bytes = bytes as f64 / f64::from(KEPT);
    report.note(&format!("Each of the 100,000 takes {bytes:.1} bytes of shared memory."));
    report.verdict_of(Target::AtMost(128.0), "bytes of shared memory for each of 100,000 Locks", bytes);
    Ok(())
}
