//! Large values one way.

use std::{convert::Infallible, hint::black_box, sync::Arc};

use ipc_channel::ipc::IpcSharedMemory;

use super::{ipc_channel as theirs, ours, work::Work};
use crate::{
    Failure, LARGE,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const WORK: Work = Work { batches: 1, batch: 4 };

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let ours = ours::start(ours::bytes, WORK.batch)?;
    let vec = theirs::start(theirs::bytes, WORK.batch)?;
    let memory = theirs::start(theirs::memory, WORK.batch)?;
    let cpython = CPython::start(report);

    let bytes = Arc::new(vec![1_u8; LARGE]);
    let answer = LARGE as u64 * u64::from(WORK.batch);
    let copy = || {
        drop(black_box(black_box(bytes.as_ref()).clone()));
        Ok::<_, Infallible>(())
    };
    let [of_copy, of_ours, of_vec, of_memory, of_cpython] = take_turns(
        rounds,
        [
            &mut || WORK.time(answer, copy, || Ok::<_, Infallible>(answer)),
            &mut || WORK.time(answer, || ours.send(&bytes), || ours.recv()),
            &mut || WORK.time(answer, || vec.send(Arc::clone(&bytes)), || vec.answer()),
            &mut || WORK.time(answer, || memory.send(IpcSharedMemory::from_bytes(&bytes)), || memory.answer()),
            &mut || WORK.time_cpython(&cpython, "bytes", WORK),
        ],
    )?;

    let moved = LARGE * WORK.messages() as usize;
    report.section("64 MiB Vec<u8> one way", rounds, Measure::Bytes(moved), ("copy", of_copy));
    report.line("a copy into a fresh Vec, and its drop", of_copy);
    report.line("multiprocess, pipe", of_ours);
    report.line("ipc-channel 0.23.1, Vec<u8>", of_vec);
    report.line("ipc-channel 0.23.1, IpcSharedMemory, only mapped", of_memory);
    report.verdict(Target::AtLeast(0.80), "of the copy's rate, on a connection", of_copy, of_ours);
    report.verdict(Target::AtLeast(1.00), "times ipc-channel's rate", of_vec, of_ours);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version} Pipe, send_bytes"), of_cpython);
        report.verdict(Target::AtLeast(1.00), "times the rate of CPython's send_bytes", of_cpython, of_ours);
    }
    ours.end()?;
    vec.end()?;
    memory.end()
}
