//! From a worker's death until its replacement begins the next task.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::{
    sys::signal::{Signal, raise},
    time::{ClockId, clock_gettime},
};

use super::square;
use crate::{
    Failure,
    report::{Measure, Report},
    rounds::take_turns,
};

#[mp::process_target]
fn die(at: mp::RawValue<AtomicU64>) {
    at.store(now(), Relaxed);
    raise(Signal::SIGKILL).ok();
}

#[mp::process_target]
fn begun() -> u64 {
    now()
}

/// Nanoseconds; all processes have the same clock.
fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let pool = mp::Pool::builder().workers(1).build()?;
    let died = mp::RawValue::new(0)?;
    let [of_process, of_replacement] = take_turns(rounds, [&mut start_and_join, &mut || replacement(&pool, &died)])?;
    report.section("from SIGKILL to the next task", rounds, Measure::Millis, ("process", of_process));
    report.line("multiprocess, start + join of a process", of_process);
    report.line("multiprocess, a worker's death to the next task", of_replacement);
    Ok(())
}

fn start_and_join() -> Result<Duration, Failure> {
    let start = Instant::now();
    let answer = mp::spawn(square, (6,))?.join()?;
    let taken = start.elapsed();
    if answer == 36 { Ok(taken) } else { Err("the result is not right".into()) }
}

/// The next task waits already when the worker dies.
fn replacement(pool: &mp::Pool, died: &mp::RawValue<AtomicU64>) -> Result<Duration, Failure> {
    died.store(0, Relaxed);
    let deadly = pool.submit(die, (died.clone(),))?;
    let next = pool.submit(begun, ())?.join()?;
    let died = died.load(Relaxed);
    match deadly.join() {
        Err(mp::TaskError::Killed(_)) if 0 < died && died < next => Ok(Duration::from_nanos(next - died)),
        other => Err(format!("{other:?} of a task that died at {died}, the next one began at {next}").into()),
    }
}
