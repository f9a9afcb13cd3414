//! Starting children and handing values over by it: the first group.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

use crate::{
    Failure, LARGE, MIB, limit,
    python::Python,
    report::{Measure, Report, Target},
    rounds::{median, take_turns},
};

#[mp::process_target]
fn next(x: u64) -> u64 {
    x + 1
}

#[mp::process_target]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    start_and_join(rounds, report)?;
    next_to_python(rounds, report)?;
    from_a_large_parent(rounds, report)?;
    large_argument(rounds, report)
}

fn start_and_join(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let [limit, ours, procspawn, thread] =
        take_turns(rounds, [&mut of_limit, &mut of_ours, &mut of_procspawn, &mut of_thread])?;
    report.section("start + join of fn(u64) -> u64", rounds, Measure::Millis, ("limit", limit));
    report.line("limit: Command, two pipes, early exit", limit);
    report.line("multiprocess", ours);
    report.line("procspawn 1.0.2", procspawn);
    report.line("std::thread, for scale", thread);
    report.verdict(Target::AtMost(1.10), "of the limit", ours, limit);
    report.verdict(Target::AtMost(0.70), "of procspawn", ours, procspawn);
    Ok(())
}

fn next_to_python(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let python = match Python::start() {
        Ok(python) => python,
        Err(why) => {
            report.note(&format!("CPython's multiprocessing: skipped, {why}"));
            return Ok(());
        }
    };
    let [ours, spawn, forkserver, fork] = take_turns(
        rounds,
        [&mut of_ours, &mut || python.time("start spawn"), &mut || python.time("start forkserver"), &mut || {
            python.time("start fork")
        }],
    )?;
    report.section("the same next to CPython's multiprocessing", rounds, Measure::Millis, ("multiprocess", ours));
    report.line("multiprocess", ours);
    report.line(&format!("{} spawn", python.version()), spawn);
    report.line(&format!("{} forkserver", python.version()), forkserver);
    report.line(&format!("{} fork", python.version()), fork);
    report.verdict(Target::AtLeast(25.0), "times as fast as CPython's spawn", spawn, ours);
    Ok(())
}

/// By blocks: touching 1 GiB takes longer than everything that is measured.
fn from_a_large_parent(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    const BLOCKS: usize = 10;
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        for _ in 0..rounds.div_ceil(BLOCKS) {
            small.push(of_ours()?);
        }
        let touched = black_box(vec![1_u8; 1024 * MIB]);
        for _ in 0..rounds.div_ceil(BLOCKS) {
            large.push(of_ours()?);
        }
        drop(touched);
    }
    let (small, large) = (median(&mut small), median(&mut large));
    report.section("the same from a parent of 1 GiB", rounds, Measure::Millis, ("small", small));
    report.line("multiprocess, small parent", small);
    report.line("multiprocess, 1 GiB touched in the parent", large);
    report.verdict(Target::AtMost(1.10), "of a small parent's", large, small);
    Ok(())
}

fn large_argument(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let original = vec![1_u8; LARGE];
    let mut copy = || {
        let start = Instant::now();
        let copy = black_box(black_box(&original).clone());
        let taken = start.elapsed();
        drop(copy);
        Ok(taken)
    };
    let mut ours = || {
        let argument = original.clone();
        let start = Instant::now();
        let arrived = mp::spawn(length, (argument,))?.join()?;
        let taken = start.elapsed();
        if arrived == LARGE { Ok(taken) } else { Err(format!("{arrived} bytes of {LARGE} arrived").into()) }
    };
    let [copy, ours] = take_turns(rounds, [&mut copy, &mut ours])?;
    report.section("64 MiB Vec<u8>", rounds, Measure::Millis, ("copy", copy));
    report.line("a copy into a fresh Vec", copy);
    report.line("multiprocess, start + join with it as argument", ours);
    report.verdict(Target::AtLeast(0.80), "of the copy's rate, as an argument", copy, ours);
    Ok(())
}

fn of_limit() -> Result<Duration, Failure> {
    timed(limit::start_and_join)
}

fn of_ours() -> Result<Duration, Failure> {
    timed(|x| Ok(mp::spawn(next, (x,))?.join()?))
}

fn of_procspawn() -> Result<Duration, Failure> {
    timed(|x| Ok(procspawn::spawn(x, |x| x + 1).join()?))
}

fn of_thread() -> Result<Duration, Failure> {
    timed(|x| thread::spawn(move || x + 1).join().map_err(|_| "the thread panicked".into()))
}

fn timed(call: impl FnOnce(u64) -> Result<u64, Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    let answer = call(black_box(41))?;
    let taken = start.elapsed();
    if answer == 42 { Ok(taken) } else { Err(format!("41 + 1 came back as {answer}").into()) }
}
