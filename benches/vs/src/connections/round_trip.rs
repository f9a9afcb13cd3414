//! A number there and one back, everybody on one core.

use std::hint::black_box;

use super::{
    bare::{self, Lengths, Receive},
    ipc_channel, ours,
    work::Work,
};
use crate::{
    Failure,
    cpython::CPython,
    pinned::Pinned,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const WORK: Work = Work { batches: 2000, batch: 1 };
const CPYTHONS: Work = Work { batches: 400, ..WORK };
const LENGTHS: Lengths = Lengths { message: 8, answer: 8 };
const NUMBER: u64 = 1 << 40 | 41;

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let _pinned = Pinned::to_one_core()?;
    let bare = bare::start(Receive::Plain, LENGTHS, WORK.batch)?;
    let roomy = bare::start(Receive::WithRoom, LENGTHS, WORK.batch)?;
    let ours = ours::start(ours::numbers, WORK.batch)?;
    let ipc_channel = ipc_channel::start(ipc_channel::numbers, WORK.batch)?;
    let cpython = CPython::start(report);

    let [of_bare, of_roomy, of_ours, of_ipc_channel, of_cpython] = take_turns(
        rounds,
        [
            &mut || WORK.time(8, || bare.send(), || bare.answer()),
            &mut || WORK.time(8, || roomy.send(), || roomy.answer()),
            &mut || WORK.time(NUMBER, || ours.send(black_box(&NUMBER)), || ours.recv()),
            &mut || WORK.time(NUMBER, || ipc_channel.send(black_box(NUMBER)), || ipc_channel.answer()),
            &mut || WORK.time_cpython(&cpython, "numbers", CPYTHONS),
        ],
    )?;

    report.section("round trip of a u64, one core", rounds, Measure::MicrosEach(WORK.messages()), ("bare", of_bare));
    report.line("limit: bare socket, send + recv", of_bare);
    report.line("bare socket, send + recvmsg with room", of_roomy);
    report.line("multiprocess, pipe", of_ours);
    report.line("ipc-channel 0.23.1", of_ipc_channel);
    report.verdict(Target::AtMost(1.15), "of the bare socket's round trip", of_ours, of_bare);
    report.verdict(Target::AtMost(1.00), "of ipc-channel's round trip", of_ours, of_ipc_channel);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pipe"), of_cpython);
        report.verdict(Target::AtMost(1.00), "of the round trip on CPython's Pipe", of_ours, of_cpython);
    }
    bare.end()?;
    roomy.end()?;
    ours.end()?;
    ipc_channel.end()
}
