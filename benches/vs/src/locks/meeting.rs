//! Two at a barrier, on one core.

use multiprocess as mp;

use super::{
    Done, bare,
    partner::{Orders, Partner},
    said,
};
use crate::{
    Failure,
    cpython::CPython,
    pinned::Pinned,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 1000;
const CPYTHONS: u32 = 100;

#[mp::process_target]
fn meet(orders: Orders, barrier: mp::Barrier) -> Done {
    orders.obey(|count| meetings(&barrier, count))
}

#[mp::process_target]
fn meet_barely(orders: Orders, barrier: bare::Barrier) -> Done {
    orders.obey(|count| bare_meetings(&barrier, count))
}

fn meetings(barrier: &mp::Barrier, count: u32) -> Done {
    (0..count).try_for_each(|_| barrier.wait().map(drop).map_err(said))
}

fn bare_meetings(barrier: &bare::Barrier, count: u32) -> Done {
    (0..count).try_for_each(|_| barrier.wait())
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let _pinned = Pinned::to_one_core()?;
    let (ours, bare) = (mp::Barrier::new(2)?, bare::Barrier::new(2)?);
    let of_ours = Partner::start(meet, ours.clone(), None)?;
    let of_bare = Partner::start(meet_barely, bare.clone(), None)?;
    let cpython = CPython::start(report);

    let [time_of_bare, time_of_ours, time_of_cpython] = take_turns(
        rounds,
        [
            &mut || of_bare.time(COUNT, |count| bare_meetings(&bare, count)),
            &mut || of_ours.time(COUNT, |count| meetings(&ours, count)),
            &mut || cpython.time(&format!("together barrier {CPYTHONS}"), CPYTHONS, COUNT),
        ],
    )?;

    report.section("two meet at a barrier, one core", rounds, Measure::MicrosEach(COUNT), ("bare", time_of_bare));
    report.line("limit: bare pthread_barrier_t", time_of_bare);
    report.line("multiprocess, Barrier", time_of_ours);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Barrier"), time_of_cpython);
        report.verdict(Target::AtMost(1.00), "of CPython's Barrier", time_of_ours, time_of_cpython);
    }
    of_ours.end()?;
    of_bare.end()
}
