//! `x * x` for many numbers, by two workers.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::square;
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const MANY: u32 = 2_000_000;
const SINGLE: u32 = 200_000;
const CPYTHONS: u32 = 500_000;
const CPYTHONS_SINGLE: u32 = 20_000;
const CPYTHONS_EXECUTOR: u32 = 4_000;

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let pool = mp::Pool::builder().workers(2).build()?;
    let one_by_one = mp::TaskOptions::new().chunk_size(NonZeroUsize::MIN);
    let cpython = CPython::start(report);

    let [of_map, of_unordered, of_cpython] = take_turns(
        rounds,
        [
            &mut || timed(MANY, || Ok(pool.map(square, numbers(MANY))?.into_iter().fold(0, u64::wrapping_add))),
            &mut || timed(MANY, || sum(pool.imap_unordered(square, numbers(MANY)))),
            &mut || cpython.time(&format!("alone pool-map {CPYTHONS}"), CPYTHONS, MANY),
        ],
    )?;
    report.section("x * x, map, 2 workers", rounds, Measure::Messages(MANY), ("map", of_map));
    report.line("multiprocess, map", of_map);
    report.line("multiprocess, imap_unordered", of_unordered);
    let wanted = Duration::from_secs_f64(f64::from(MANY) / 20e6);
    report.verdict(Target::AtLeast(1.0), "of 20 million tasks a second, map", wanted, of_map);
    report.verdict(Target::AtLeast(0.7), "of map's rate, imap_unordered", of_map, of_unordered);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pool.map"), of_cpython);
    }

    let [of_single, of_cpython, of_executor] = take_turns(
        rounds,
        [
            &mut || {
                let pool = pool.with(one_by_one.clone());
                timed(SINGLE, || Ok(pool.map(square, numbers(SINGLE))?.into_iter().fold(0, u64::wrapping_add)))
            },
            &mut || cpython.time(&format!("alone pool-map-1 {CPYTHONS_SINGLE}"), CPYTHONS_SINGLE, SINGLE),
            &mut || cpython.time(&format!("alone executor-map {CPYTHONS_EXECUTOR}"), CPYTHONS_EXECUTOR, SINGLE),
        ],
    )?;
    report.section("the same, chunks of one", rounds, Measure::Messages(SINGLE), ("map", of_single));
    report.line("multiprocess, map", of_single);
    let wanted = Duration::from_secs_f64(f64::from(SINGLE) / 1e6);
    report.verdict(Target::AtLeast(1.0), "of a million tasks a second, chunks of one", wanted, of_single);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pool.map, chunksize=1"), of_cpython);
        report.line(&format!("{version} ProcessPoolExecutor.map"), of_executor);
    }
    Ok(())
}

fn numbers(count: u32) -> impl Iterator<Item = u64> {
    0..u64::from(count)
}

fn sum(results: impl Iterator<Item = Result<u64, mp::TaskError>>) -> Result<u64, Failure> {
    let mut sum = 0_u64;
    for result in results {
        sum = sum.wrapping_add(result?);
    }
    Ok(sum)
}

fn timed(count: u32, work: impl FnOnce() -> Result<u64, Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    let sum = work()?;
    let time = start.elapsed();
    let expected = numbers(count).fold(0, |sum: u64, x| sum.wrapping_add(x.wrapping_mul(x)));
    if sum == expected { Ok(time) } else { Err("the results are not right".into()) }
}
