//! Small records one way.

use std::hint::black_box;

use super::{
    bare::{self, Lengths, Receive},
    ipc_channel,
    message::{Message, READING, Reading},
    ours,
    work::Work,
};
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const WORK: Work = Work { batches: 1, batch: 50_000 };
const CPYTHONS: Work = Work { batch: 5_000, ..WORK };
const LENGTHS: Lengths = Lengths { message: size_of::<Reading>(), answer: 8 };

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let bare = bare::start(Receive::Plain, LENGTHS, WORK.batch)?;
    let roomy = bare::start(Receive::WithRoom, LENGTHS, WORK.batch)?;
    let ours = ours::start(ours::readings, WORK.batch)?;
    let ipc_channel = ipc_channel::start(ipc_channel::readings, WORK.batch)?;
    let cpython = CPython::start(report);

    let answer = READING.weight() * u64::from(WORK.batch);
    let [of_bare, of_roomy, of_ours, of_ipc_channel, of_pipe, of_queue] = take_turns(
        rounds,
        [
            &mut || WORK.time(8, || bare.send(), || bare.answer()),
            &mut || WORK.time(8, || roomy.send(), || roomy.answer()),
            &mut || WORK.time(answer, || ours.send(black_box(&READING)), || ours.recv()),
            &mut || WORK.time(answer, || ipc_channel.send(black_box(READING)), || ipc_channel.answer()),
            &mut || WORK.time_cpython(&cpython, "readings", CPYTHONS),
            &mut || WORK.time_cpython(&cpython, "queue", CPYTHONS),
        ],
    )?;

    report.section("64-byte messages one way", rounds, Measure::Messages(WORK.messages()), ("bare", of_bare));
    report.line("limit: bare socket, send + recv", of_bare);
    report.line("bare socket, send + recvmsg with room", of_roomy);
    report.line("multiprocess, pipe of a struct", of_ours);
    report.line("ipc-channel 0.23.1, the same struct", of_ipc_channel);
    report.verdict(Target::AtLeast(0.90), "of the bare socket's messages a second", of_bare, of_ours);
    report.verdict(Target::AtLeast(1.00), "times ipc-channel's messages a second", of_ipc_channel, of_ours);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pipe, a tuple of the same"), of_pipe);
        report.line(&format!("{version} Queue, a tuple of the same"), of_queue);
        report.verdict(Target::AtLeast(1.00), "times the messages a second of CPython's Pipe", of_pipe, of_ours);
        report.verdict(Target::AtLeast(1.00), "times the messages a second of CPython's Queue", of_queue, of_ours);
    }
    bare.end()?;
    roomy.end()?;
    ours.end()?;
    ipc_channel.end()
}
