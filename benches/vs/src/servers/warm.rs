//! A child that waits is handed its function: beside a thread.

use std::{
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::time::{ClockId, clock_gettime};

use super::{cold::timed, next};
use crate::{
    Failure,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

/// So many children wait; they are made in the background when half of them have been used.
const WAITING: usize = 4;

/// What one waits for is the time of the machine, which is the same for all processes.
#[mp::process_target]
fn begun() -> Duration {
    now()
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let (warm, cold) = (mp::Context::forkserver().warm(WAITING), mp::Context::forkserver());
    warm.prepare()?;
    cold.prepare()?;
    let mut first_of_thread = || {
        settle();
        let start = now();
        let first = thread::spawn(now).join().map_err(|_| "the thread panicked")?;
        Ok(first.saturating_sub(start))
    };
    let mut first_of_warm = || {
        warm.prepare()?;
        settle();
        let start = now();
        Ok(warm.start(begun, ())?.join()?.saturating_sub(start))
    };
    let [thread, first] = take_turns(rounds, [&mut first_of_thread, &mut first_of_warm])?;
    report.section("to the first instruction of the function", rounds, Measure::MicrosEach(1), ("thread", thread));
    report.line("std::thread::spawn", thread);
    report.line("multiprocess, forkserver, warm", first);
    report.verdict(Target::AtMost(2.00), "of a thread's time to its first instruction, warm", first, thread);

    let mut of_cold = || {
        settle();
        timed(|x| Ok(cold.start(next, (x,))?.join()?))
    };
    let mut of_warm = || {
        warm.prepare()?;
        settle();
        timed(|x| Ok(warm.start(next, (x,))?.join()?))
    };
    let mut of_thread = || {
        settle();
        timed(|x| thread::spawn(move || x + 1).join().map_err(|_| "the thread panicked".into()))
    };
    let [cold, warm, thread] = take_turns(rounds, [&mut of_cold, &mut of_warm, &mut of_thread])?;
    report.section("start + join, with a child that waits", rounds, Measure::MicrosEach(1), ("cold", cold));
    report.line("multiprocess, forkserver", cold);
    report.line("multiprocess, forkserver, warm", warm);
    report.line("std::thread, for scale", thread);
    report.verdict(Target::AtMost(0.50), "of the cold forkserver, warm", warm, cold);
    Ok(())
}

/// Whoever is still at work for the turn before has its time: a millisecond of this thread's sleep, as a program has them between starts.
fn settle() {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(1).saturating_sub(start.elapsed()));
}
