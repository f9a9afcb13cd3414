//! As many starts as there can be in a second, with some on their way at any time.

use std::{
    collections::VecDeque,
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::next;
use crate::{
    Failure,
    python::Python,
    report::{Measure, Report},
    rounds::take_turns,
};

/// So many in a turn,
const STARTS: u32 = 200;
/// of which so many are not joined yet when the next one is started.
const ON_THEIR_WAY: usize = 4;

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let contexts = [mp::Context::spawn(), mp::Context::forkserver(), mp::Context::forkserver().warm(8)];
    for context in &contexts {
        context.prepare()?;
    }
    let by =
        |context: &mp::Context| stream(|x| Ok(context.start(next, (x,))?), |child: mp::Process<u64>| Ok(child.join()?));
    let [spawn, forked, warm, procspawn, thread] = take_turns(
        rounds,
        [
            &mut || by(&contexts[0]),
            &mut || by(&contexts[1]),
            &mut || by(&contexts[2]),
            &mut || stream(|x| Ok(procspawn::spawn(x, |x| x + 1)), |child| Ok(child.join()?)),
            &mut || {
                stream(
                    |x| Ok(thread::spawn(move || x + 1)),
                    |thread| thread.join().map_err(|_| "a thread panicked".into()),
                )
            },
        ],
    )?;
    let title = format!("starts in a second, {ON_THEIR_WAY} on their way");
    report.section(&title, rounds, Measure::Things(STARTS), ("spawn", spawn));
    report.line("multiprocess, spawn", spawn);
    report.line("multiprocess, forkserver", forked);
    report.line("multiprocess, forkserver, 8 warm", warm);
    report.line("procspawn 1.0.2", procspawn);
    report.line("std::thread", thread);
    of_python(rounds.div_ceil(4), report)
}

fn of_python(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let python = match Python::start() {
        Ok(python) => python,
        Err(why) => {
            report.note(&format!("CPython's starts: skipped, {why}"));
            return Ok(());
        }
    };
    for (method, starts) in [("spawn", 10_u32), ("forkserver", 40), ("fork", 100)] {
        let [time] = take_turns(rounds, [&mut || python.time(&format!("starts {method} {starts} {ON_THEIR_WAY}"))])?;
        report.line(&format!("{} {method}", python.version()), time * STARTS / starts);
    }
    Ok(())
}

/// The time of [`STARTS`] of them.
fn stream<C>(
    start: impl Fn(u64) -> Result<C, Failure>,
    join: impl Fn(C) -> Result<u64, Failure>,
) -> Result<Duration, Failure> {
    let began = Instant::now();
    let (mut running, mut sum) = (VecDeque::new(), 0);
    for x in 0..u64::from(STARTS) {
        if running.len() == ON_THEIR_WAY
            && let Some(first) = running.pop_front()
        {
            sum += join(first)?;
        }
        running.push_back(start(x)?);
    }
    for child in running {
        sum += join(child)?;
    }
    let taken = began.elapsed();
    let expected = u64::from(STARTS) * (u64::from(STARTS) + 1) / 2;
    if sum == expected { Ok(taken) } else { Err(format!("{sum} came back, not {expected}").into()) }
}
