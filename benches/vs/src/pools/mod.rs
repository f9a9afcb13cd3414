//! Tasks for a pool of two workers: the sixth group. CPython's side is in `python_pools.py`.

mod call;
mod maps;
mod peers;
mod replacement;
mod short;

use multiprocess as mp;

use crate::{Failure, report::Report};

#[mp::process_target]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    // Turns take long.
    maps::compare(rounds.div_ceil(10), report)?;
    call::compare(rounds.div_ceil(8), report)?;
    short::compare(rounds.div_ceil(4), report)?;
    replacement::compare(rounds, report)
}
