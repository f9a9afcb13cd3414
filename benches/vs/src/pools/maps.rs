//! `x * x` for many numbers, by two workers.

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::{peers, square};
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const MANY: u32 = 2_000_000;
const SINGLE: u32 = 200_000;
const CPYTHONS: u32 = 500_000;
const PEBBLES: u32 = 100_000;
const CPYTHONS_SINGLE: u32 = 20_000;
const CPYTHONS_EXECUTOR: u32 = 4_000;
const PROCSPAWNS: u32 = 4_000;

/// Who takes part.
struct Field {
    pool: mp::Pool,
    rayon: rayon::ThreadPool,
    cpython: CPython,
    /// Its version, if it is there.
    pebble: Option<String>,
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let cpython = CPython::start(report);
    let field = Field {
        pool: mp::Pool::builder().workers(2).build()?,
        rayon: peers::rayon()?,
        pebble: cpython.version_of("pebble")?,
        cpython,
    };
    field.in_chunks(rounds, report)?;
    field.one_by_one(rounds, report)
}

impl Field {
    fn in_chunks(&self, rounds: usize, report: &mut Report) -> Result<(), Failure> {
        let Self { pool, rayon, cpython, .. } = self;
        let [of_map, of_unordered, of_rayon, of_cpython, of_executor, of_pebble] = take_turns(
            rounds,
            [
                &mut || timed(MANY, || Ok(pool.map(square, numbers(MANY))?.into_iter().fold(0, u64::wrapping_add))),
                &mut || timed(MANY, || sum(pool.imap_unordered(square, numbers(MANY)))),
                &mut || timed(MANY, || Ok(peers::rayon_map(rayon, MANY))),
                &mut || cpython.time(&format!("alone pool-map {CPYTHONS}"), CPYTHONS, MANY),
                &mut || cpython.time(&format!("alone executor-map {CPYTHONS}"), CPYTHONS, MANY),
                &mut || self.time_pebble("pebble-map", PEBBLES, MANY),
            ],
        )?;
        report.section("x * x, map, 2 workers", rounds, Measure::Messages(MANY), ("map", of_map));
        report.line("multiprocess, map", of_map);
        report.line("multiprocess, imap_unordered", of_unordered);
        let wanted = Duration::from_secs_f64(f64::from(MANY) / 20e6);
        report.verdict(Target::AtLeast(1.0), "of 20 million tasks a second, map", wanted, of_map);
        report.verdict(Target::AtLeast(0.7), "of map's rate, imap_unordered", of_map, of_unordered);
        report.line("rayon 1.12.0 par_iter, 2 threads", of_rayon);
        if let Some(version) = cpython.version() {
            report.line(&format!("{version} Pool.map"), of_cpython);
            report.line(&format!("{version} ProcessPoolExecutor.map, chunks"), of_executor);
        }
        self.line_of_pebble("ProcessPool.map, chunks", of_pebble, report);
        Ok(())
    }

    fn one_by_one(&self, rounds: usize, report: &mut Report) -> Result<(), Failure> {
        let Self { pool, rayon, cpython, .. } = self;
        let one_by_one = mp::TaskOptions::new().chunk_size(NonZeroUsize::MIN);
        let procspawn = procspawn::Pool::new(2)?;
        let [of_single, of_rayon, of_procspawn, of_cpython, of_executor, of_pebble] = take_turns(
            rounds,
            [
                &mut || {
                    let pool = pool.with(one_by_one.clone());
                    timed(SINGLE, || Ok(pool.map(square, numbers(SINGLE))?.into_iter().fold(0, u64::wrapping_add)))
                },
                &mut || timed(SINGLE, || Ok(peers::rayon_spawns(rayon, SINGLE))),
                &mut || {
                    let some = timed(PROCSPAWNS, || peers::procspawn_spawns(&procspawn, PROCSPAWNS))?;
                    Ok(some.mul_f64(f64::from(SINGLE) / f64::from(PROCSPAWNS)))
                },
                &mut || cpython.time(&format!("alone pool-map-1 {CPYTHONS_SINGLE}"), CPYTHONS_SINGLE, SINGLE),
                &mut || cpython.time(&format!("alone executor-map-1 {CPYTHONS_EXECUTOR}"), CPYTHONS_EXECUTOR, SINGLE),
                &mut || self.time_pebble("pebble-map-1", CPYTHONS_EXECUTOR, SINGLE),
            ],
        )?;
        report.section("the same, chunks of one", rounds, Measure::Messages(SINGLE), ("map", of_single));
        report.line("multiprocess, map", of_single);
        let wanted = Duration::from_secs_f64(f64::from(SINGLE) / 1e6);
        report.verdict(Target::AtLeast(1.0), "of a million tasks a second, chunks of one", wanted, of_single);
        report.line("rayon 1.12.0, a spawn in a scope for each", of_rayon);
        report.line("procspawn 1.0.2 Pool, a spawn for each", of_procspawn);
        if let Some(version) = cpython.version() {
            report.line(&format!("{version} Pool.map, chunksize=1"), of_cpython);
            report.line(&format!("{version} ProcessPoolExecutor.map"), of_executor);
        }
        self.line_of_pebble("ProcessPool.map", of_pebble, report);
        Ok(())
    }

    fn time_pebble(&self, kind: &str, some: u32, all: u32) -> Result<Duration, Failure> {
        if self.pebble.is_none() {
            return Ok(Duration::ZERO);
        }
        self.cpython.time(&format!("alone {kind} {some}"), some, all)
    }

    fn line_of_pebble(&self, what: &str, time: Duration, report: &Report) {
        match &self.pebble {
            Some(version) => report.line(&format!("pebble {version} {what}"), time),
            None => report.absent(&format!("pebble {what}")),
        }
    }
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
