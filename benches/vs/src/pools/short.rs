//! Tasks of ten microseconds, by two workers on two cores, and by as many threads on the same.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use multiprocess as mp;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::peers;
use crate::{
    Failure,
    pinned::{Pinned, cores},
    report::{Measure, Report, Target},
    rounds::{median, take_turns},
};

const COUNT: u32 = 20_000;
const TASK: Duration = Duration::from_micros(10);

#[mp::process_target]
fn toil(steps: u64) -> u64 {
    work(steps)
}

/// So many steps, none of which can begin before the one before. Not inlined, so that it is the same code wherever it is called.
#[inline(never)]
fn work(steps: u64) -> u64 {
    (0..steps).fold(1, |state: u64, step| (state ^ step).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17))
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let cores = cores()?;
    let [first, second, ..] = cores[..] else {
        report.note("tasks of ten microseconds: skipped, there is one core only");
        return Ok(());
    };
    let _pinned = Pinned::to_both(first, second)?;
    let pool = mp::Pool::builder().workers(2).build()?;
    let rayon = peers::rayon()?;
    let steps = calibrated();
    let expected = work(steps);
    let tasks = || (0..COUNT).map(|_| steps);
    let timed = |all: &dyn Fn() -> Result<Vec<u64>, Failure>| {
        let start = Instant::now();
        let results = all()?;
        let taken = start.elapsed();
        let is_right = results.len() == COUNT as usize && results.iter().all(|&result| result == expected);
        if is_right { Ok(taken) } else { Err("the results are not right".into()) }
    };
    let [of_one, of_rayon, of_map, of_unordered] = take_turns(
        rounds,
        [
            &mut || timed(&|| Ok(tasks().map(|steps| work(black_box(steps))).collect())),
            &mut || {
                timed(&|| Ok(rayon.install(|| (0..COUNT).into_par_iter().map(|_| work(black_box(steps))).collect())))
            },
            &mut || timed(&|| Ok(pool.map(toil, tasks())?)),
            &mut || timed(&|| Ok(pool.imap_unordered(toil, tasks()).collect::<Result<_, _>>()?)),
        ],
    )?;
    report.section("tasks of 10 µs, 2 workers, two cores", rounds, Measure::Messages(COUNT), ("rayon", of_rayon));
    report.line("one thread, without a pool", of_one);
    report.line("rayon 1.12.0 par_iter, 2 threads", of_rayon);
    report.line("multiprocess, map", of_map);
    report.line("multiprocess, imap_unordered", of_unordered);
    report.verdict(Target::AtLeast(0.9), "of rayon's rate, tasks of 10 µs, map", of_rayon, of_map);
    report.verdict(Target::AtLeast(0.9), "of rayon's rate, tasks of 10 µs, imap_unordered", of_rayon, of_unordered);
    Ok(())
}

/// How many steps take that long. The clock is read here only, so that tasks are the same work for all.
fn calibrated() -> u64 {
    const STEPS: u64 = 10_000;
    let mut times = [(); 101].map(|()| {
        let start = Instant::now();
        black_box(work(black_box(STEPS)));
        start.elapsed()
    });
    (STEPS as f64 * TASK.as_secs_f64() / median(&mut times).as_secs_f64()) as u64
}
