//! One task, there and its result back, everybody on one core.

use std::time::{Duration, Instant};

use multiprocess as mp;

use super::square;
use crate::{
    Failure,
    connections::{
        bare::{self, Lengths, Receive},
        work::Work,
    },
    cpython::CPython,
    pinned::Pinned,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 1000;
const CPYTHONS: u32 = 200;
const LENGTHS: Lengths = Lengths { message: 8, answer: 8 };

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let _pinned = Pinned::to_one_core()?;
    let socket = bare::start(Receive::Plain, LENGTHS, 1)?;
    let pool = mp::Pool::builder().workers(1).build()?;
    let cpython = CPython::start(report);
    let work = Work { batches: COUNT, batch: 1 };
    let [of_socket, of_call, of_cpython] = take_turns(
        rounds,
        [&mut || work.time(8, || socket.send(), || socket.answer()), &mut || calls(&pool), &mut || {
            cpython.time(&format!("alone pool-apply {CPYTHONS}"), CPYTHONS, COUNT)
        }],
    )?;
    report.section("a task and its result, one core", rounds, Measure::MicrosEach(COUNT), ("bare", of_socket));
    report.line("limit: bare SEQPACKET socket", of_socket);
    report.line("multiprocess, call", of_call);
    report.verdict(Target::AtMost(2.0), "of the bare socket's round trip, a call", of_call, of_socket);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pool.apply"), of_cpython);
    }
    socket.end()
}

fn calls(pool: &mp::Pool) -> Result<Duration, Failure> {
    let start = Instant::now();
    for x in 0..u64::from(COUNT) {
        if pool.call(square, (x,))? != x * x {
            return Err("the result is not right".into());
        }
    }
    Ok(start.elapsed())
}
