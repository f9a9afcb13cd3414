//! How fast `multiprocess` starts children and hands values over, next to the physical limit and its peers.
//!
//! ```text
//! cargo run --release --manifest-path benches/vs/Cargo.toml [-- --rounds 200]
//! RUSTFLAGS="-C target-feature=+crt-static" \
//!     cargo run --release --manifest-path benches/vs/Cargo.toml --target x86_64-unknown-linux-gnu
//! ```
//!
//! The second one is the same for a static build, which needs no dynamic linker at every start. What is
//! compared is measured in one run, turn by turn in shuffled order; the table shows medians and their ratios.
//! The *limit* is what no library can go below: std's `Command` runs this very program again, a `u64` goes
//! in and out through two pipes, and the child leaves at the top of `main`.

mod limit;
mod python;
mod report;
mod rounds;

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

use report::{Report, Target};
use rounds::{median, take_turns};

type Failure = Box<dyn std::error::Error>;

const MIB: usize = 1 << 20;
const LARGE: usize = 64 * MIB;

#[mp::process_target]
fn next(x: u64) -> u64 {
    x + 1
}

#[mp::process_target]
fn length(bytes: Vec<u8>) -> usize {
    bytes.len()
}

fn main() -> ExitCode {
    if limit::is_child() {
        return limit::child();
    }
    // Its own children stay in here for ever.
    procspawn::init();
    // A program that starts itself must know when it is not the first.
    if let Some(mark) =
        ["MULTIPROCESS_CHILD", "__PROCSPAWN_CONTENT_PROCESS_ID"].iter().find(|mark| env::var_os(mark).is_some())
    {
        eprintln!("vs: {mark} is set, so this is a child, and nothing took it before it came here");
        return ExitCode::FAILURE;
    }
    match rounds_wanted().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vs: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn rounds_wanted() -> Result<usize, Failure> {
    match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => Ok(200),
        [flag, number] if flag == "--rounds" => match number.parse() {
            Ok(0) | Err(_) => Err(format!("'{number}' is no number of rounds").into()),
            Ok(rounds) => Ok(rounds),
        },
        _ => Err("usage: vs [--rounds N]".into()),
    }
}

fn run(rounds: usize) -> Result<(), Failure> {
    let mut report = Report::new(rounds);
    start_and_join(rounds, &mut report)?;
    next_to_python(rounds, &mut report)?;
    from_a_large_parent(rounds, &mut report)?;
    large_argument(rounds, &mut report)?;
    report.print_verdicts();
    Ok(())
}

fn start_and_join(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let [limit, ours, procspawn, thread] =
        take_turns(rounds, [&mut of_limit, &mut of_ours, &mut of_procspawn, &mut of_thread])?;
    report.section("start + join of fn(u64) -> u64", "limit", limit);
    report.line("limit: Command, two pipes, early exit", limit);
    report.line("multiprocess", ours);
    report.line("procspawn 1.0.2", procspawn);
    report.line("std::thread, for scale", thread);
    report.verdict(Target::AtMost(1.10), "of the limit", ours, limit);
    report.verdict(Target::AtMost(0.70), "of procspawn", ours, procspawn);
    Ok(())
}

fn next_to_python(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let python = match python::Python::start() {
        Ok(python) => python,
        Err(why) => {
            report.note(&format!("CPython's multiprocessing: skipped, {why}"));
            return Ok(());
        }
    };
    let [ours, spawn, forkserver, fork] = take_turns(
        rounds,
        [&mut of_ours, &mut || python.time("spawn"), &mut || python.time("forkserver"), &mut || python.time("fork")],
    )?;
    report.section("the same next to CPython's multiprocessing", "multiprocess", ours);
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
    report.section("the same from a parent of 1 GiB", "small", small);
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
    report.section("64 MiB Vec<u8>", "copy", copy);
    report.line("a copy into a fresh Vec", copy);
    report.line("multiprocess, start + join with it as argument", ours);
    report.verdict(Target::AtLeast(0.80), "of the copy's rate", copy, ours);
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
