//! The send call alone, and with the receive.

use std::time::{Duration, Instant};

use ipc_channel::ipc::{self, IpcSharedMemory};
use multiprocess as mp;

use super::ELEMENTS;
use crate::{
    Failure,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const SENDS: u32 = 20;
/// What a send may take, by the issue.
const ALLOWED: Duration = Duration::from_micros(100);

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let slice = mp::SharedSlice::from_slice(&vec![1_u64; ELEMENTS])?;
    let (sender, receiver) = mp::channel()?;
    let lent = mp::SlicePool::new(ELEMENTS, 1)?.take()?.lend();
    let (lent_sender, lent_receiver) = mp::channel::<mp::LentSlice<u64>>()?;
    let theirs = IpcSharedMemory::from_byte(1, ELEMENTS * size_of::<u64>());
    let (their_sender, their_receiver) = ipc::channel::<IpcSharedMemory>()?;

    let [of_send, of_both, of_lent, of_theirs] = take_turns(
        rounds,
        [
            &mut || {
                let mut taken = Duration::ZERO;
                for _ in 0..SENDS {
                    let start = Instant::now();
                    sender.send(&slice)?;
                    taken += start.elapsed();
                    receiver.recv()?;
                }
                Ok(taken)
            },
            &mut || {
                repeat(|| {
                    sender.send(&slice)?;
                    receiver.recv()?;
                    Ok(())
                })
            },
            &mut || {
                repeat(|| {
                    lent_sender.send(&lent)?;
                    lent_receiver.recv()?;
                    Ok(())
                })
            },
            &mut || {
                repeat(|| {
                    their_sender.send(theirs.clone())?;
                    their_receiver.recv()?;
                    Ok(())
                })
            },
        ],
    )?;

    report.section("64 MiB that are there: send", rounds, Measure::MicrosEach(SENDS), ("a send", of_send));
    report.line("multiprocess, SharedSlice, the send alone", of_send);
    report.line("multiprocess, SharedSlice, send and recv", of_both);
    report.line("multiprocess, LentSlice, send and recv", of_lent);
    report.line("ipc-channel 0.23.1, IpcSharedMemory, send and recv", of_theirs);
    report.verdict(Target::AtMost(1.00), "of 100 µs for a send of 64 MiB", of_send, ALLOWED * SENDS);
    report.verdict(Target::AtMost(1.00), "of ipc-channel's send and recv of 64 MiB", of_both, of_theirs);
    Ok(())
}

fn repeat(send: impl Fn() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let start = Instant::now();
    for _ in 0..SENDS {
        send()?;
    }
    Ok(start.elapsed())
}
