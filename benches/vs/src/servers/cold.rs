//! A child is forked by a server, gets a number, gives one back and is joined.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::{Loaded, bare::Bare, load, next};
use crate::{
    Failure, MIB,
    python::Python,
    report::{Measure, Report, Target},
    rounds::{median, take_turns},
};

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let bare = Bare::start()?;
    let (plain, loaded) = (mp::Context::forkserver(), mp::Context::forkserver().preload(load, (1024 * MIB,)));
    plain.prepare()?;
    loaded.prepare()?;
    let mut of_bare = || timed(|x| bare.start_and_join(x));
    let mut of_plain = || timed(|x| Ok(plain.start(next, (x,))?.join()?));
    let mut of_loaded = || timed(|x| Ok(loaded.start(next, (x,))?.join()?));
    let mut of_spawn = || timed(|x| Ok(mp::Context::spawn().start(next, (x,))?.join()?));
    let [limit, ours, preloaded, spawn] =
        take_turns(rounds, [&mut of_bare, &mut of_plain, &mut of_loaded, &mut of_spawn])?;
    report.section("forked: start + join of fn(u64) -> u64", rounds, Measure::MicrosEach(1), ("limit", limit));
    report.line("limit: a bare clone3 server", limit);
    report.line("multiprocess, forkserver", ours);
    report.line("the same, 1 GiB preloaded", preloaded);
    report.line("multiprocess, spawn, for scale", spawn);
    report.verdict(Target::AtMost(1.40), "of the bare server", ours, limit);
    report.verdict(Target::AtMost(1.10), "of that without preloading, with 1 GiB preloaded", preloaded, ours);
    check_sharing(&loaded)?;

    from_a_large_parent(rounds, &plain, &bare, report)?;
    next_to_python(rounds, &mut of_plain, report)
}

/// That it is shared, and not made again: by what a child says that has read a page of each.
fn check_sharing(loaded: &mp::Context) -> Result<(), Failure> {
    #[mp::process_target]
    fn size_of_loaded() -> usize {
        mp::preloaded::<Loaded>().map_or(0, |loaded| loaded.0.len())
    }
    match loaded.start(size_of_loaded, ())?.join()? {
        size if size == 1024 * MIB => Ok(()),
        size => Err(format!("{size} bytes are preloaded").into()),
    }
}

/// By blocks: touching 1 GiB takes longer than everything that is measured.
fn from_a_large_parent(rounds: usize, context: &mp::Context, bare: &Bare, report: &mut Report) -> Result<(), Failure> {
    const BLOCKS: usize = 10;
    let (mut limit, mut large) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let touched = black_box(vec![1_u8; 1024 * MIB]);
        for _ in 0..rounds.div_ceil(BLOCKS) {
            limit.push(timed(|x| bare.start_and_join(x))?);
            large.push(timed(|x| Ok(context.start(next, (x,))?.join()?))?);
        }
        drop(touched);
    }
    let (limit, large) = (median(&mut limit), median(&mut large));
    report.section("the same from a parent of 1 GiB", rounds, Measure::MicrosEach(1), ("limit", limit));
    report.line("limit: a bare clone3 server", limit);
    report.line("multiprocess, forkserver", large);
    report.verdict(Target::AtMost(1.40), "of the bare server, from a parent of 1 GiB", large, limit);
    Ok(())
}

fn next_to_python(
    rounds: usize,
    of_ours: &mut dyn FnMut() -> Result<Duration, Failure>,
    report: &mut Report,
) -> Result<(), Failure> {
    let python = match Python::start() {
        Ok(python) => python,
        Err(why) => {
            report.note(&format!("CPython's forkserver: skipped, {why}"));
            return Ok(());
        }
    };
    let rounds = rounds.div_ceil(4);
    let [ours, theirs] = take_turns(rounds, [of_ours, &mut || python.time("start forkserver")])?;
    report.section("the same next to CPython's forkserver", rounds, Measure::MicrosEach(1), ("multiprocess", ours));
    report.line("multiprocess, forkserver", ours);
    report.line(&format!("{} forkserver", python.version()), theirs);
    Ok(())
}

pub(super) fn timed(call: impl FnOnce(u64) -> Result<u64, Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    let answer = call(black_box(41))?;
    let taken = start.elapsed();
    if answer == 42 { Ok(taken) } else { Err(format!("41 + 1 came back as {answer}").into()) }
}
