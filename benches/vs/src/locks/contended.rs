//! Two processes that want one lock all the time, on a core each.

use multiprocess as mp;

use super::{
    Done, bare,
    partner::{Orders, Partner},
    said,
};
use crate::{
    Failure,
    cpython::CPython,
    pinned::{Pinned, cores},
    report::{Measure, Report, Target},
    rounds::take_turns,
};

/// Of each of the two.
const COUNT: u32 = 100_000;
const CPYTHONS: u32 = 50_000;

#[mp::process_target]
fn want_lock(orders: Orders, lock: mp::Lock) -> Done {
    orders.obey(|count| locking(&lock, count))
}

#[mp::process_target]
fn want_mutex(orders: Orders, mutex: bare::Mutex) -> Done {
    orders.obey(|count| bare_locking(&mutex, count))
}

fn locking(lock: &mp::Lock, count: u32) -> Done {
    (0..count).try_for_each(|_| lock.lock().map(drop).map_err(said))
}

fn bare_locking(mutex: &bare::Mutex, count: u32) -> Done {
    (0..count).try_for_each(|_| mutex.lock().and_then(|()| mutex.unlock()))
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let &[first, second, ..] = &*cores()? else {
        report.note("two processes that want one lock: skipped, there is one core only");
        return Ok(());
    };
    let _pinned = Pinned::to(first)?;
    let (ours, bare) = (mp::Lock::new()?, bare::Mutex::new()?);
    let of_ours = Partner::start(want_lock, ours.clone(), Some(second))?;
    let of_bare = Partner::start(want_mutex, bare.clone(), Some(second))?;
    let cpython = CPython::start(report);

    let [time_of_bare, time_of_ours, time_of_cpython] = take_turns(
        rounds,
        [
            &mut || of_bare.time(COUNT, |count| bare_locking(&bare, count)),
            &mut || of_ours.time(COUNT, |count| locking(&ours, count)),
            &mut || cpython.time(&format!("together lock {CPYTHONS} {first} {second}"), CPYTHONS, COUNT),
        ],
    )?;

    report.section("two want one lock, two cores", rounds, Measure::Messages(2 * COUNT), ("bare", time_of_bare));
    report.line("bare robust pthread mutex", time_of_bare);
    report.line("multiprocess, Lock", time_of_ours);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Lock"), time_of_cpython);
        report.verdict(
            Target::AtLeast(1.00),
            "times CPython's locks a second, two cores",
            time_of_cpython,
            time_of_ours,
        );
    }
    of_ours.end()?;
    of_bare.end()
}
