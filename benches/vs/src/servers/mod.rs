//! Children that are forked by a server, and those that wait: the seventh group.

pub(crate) mod bare;
mod cold;
mod throughput;
mod warm;

use multiprocess as mp;

use crate::{Failure, report::Report};

#[mp::process_target]
fn next(x: u64) -> u64 {
    x + 1
}

/// What a server has made before it forks.
struct Loaded(Vec<u8>);

#[mp::process_target(preload)]
fn load(size: usize) -> Loaded {
    Loaded(vec![1; size])
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    cold::compare(rounds, report)?;
    warm::compare(rounds, report)?;
    throughput::compare(rounds.div_ceil(20), report)
}
