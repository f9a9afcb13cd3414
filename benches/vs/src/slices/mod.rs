//! Shared memory of 64 MiB: the third group.
//!
//! Everyone does the same: writes a number to all of it, sends it to a child, which reads all of it and answers with the
//! sum; then the next. So a turn has the speed of memory in it twice, and what the transport adds. There is a file for each
//! contestant; `written.rs` and `sent.rs` are the tables.

mod iceoryx2;
mod ipc_channel;
mod ours;
mod sent;
mod written;

use crate::{Failure, LARGE, connections::work::Work, report::Report};

/// A round of it: written, sent, read and answered, one after the other.
const WORK: Work = Work { batches: 4, batch: 1 };
const ELEMENTS: usize = LARGE / size_of::<u64>();
/// What is written to each element.
const NUMBER: u64 = 41;
const ANSWER: u64 = NUMBER * ELEMENTS as u64;

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    written::compare(rounds, report)?;
    sent::compare(rounds, report)
}

/// Looks at every element.
fn sum(elements: &[u64]) -> u64 {
    elements.iter().sum()
}
