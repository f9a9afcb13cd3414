//! Messages between this process and children that stay: the second group.
//!
//! Everyone does the same [`Work`](work::Work): batches of messages to a child, each followed by an answer. There is a
//! file for each table (`round_trip`, `one_way`, `large`) and one for each contestant (`bare`, `ours`, `ipc_channel`,
//! `cpython`).

pub(crate) mod bare;
mod cpython;
pub(crate) mod ipc_channel;
mod large;
pub(crate) mod message;
mod one_way;
mod ours;
mod round_trip;
pub(crate) mod work;

use crate::{Failure, report::Report};

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    round_trip::compare(rounds, report)?;
    // Their turns take longer.
    one_way::compare(rounds.div_ceil(4), report)?;
    large::compare(rounds.div_ceil(10), report)
}
