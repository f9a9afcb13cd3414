//! Items that go from processes to others through a queue: the fifth group.
//!
//! There is a file for each table (`small`, `crowd`, `round_trip`, `large`, `idle`) and for each contestant (`bare`, `ours`,
//! `channel`, `iceoryx2`; the sockets and ipc-channel are the connections'). The [items](item) of 64 bytes are all different, and who
//! gets them looks at all of each. CPython's side is in `python_queues.py`.

mod bare;
mod channel;
mod crowd;
mod flow;
mod iceoryx2;
mod idle;
mod item;
mod large;
mod ours;
mod round_trip;
mod small;

use std::time::Duration;

use crate::{Failure, report::Report};

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    // Turns take long.
    small::compare(rounds.div_ceil(5), report)?;
    crowd::compare(rounds.div_ceil(8), report)?;
    round_trip::compare(rounds.div_ceil(4), report)?;
    large::compare(rounds.div_ceil(10), report)?;
    idle::compare(report)
}

/// How long so many items take at this rate: what the targets are given in.
const fn at_millions(millions: f64, items: u32) -> Duration {
    Duration::from_nanos((items as f64 * 1e3 / millions) as u64)
}
