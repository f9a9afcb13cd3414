//! To take a lock and give it back, with nobody else about.

use std::sync;

use multiprocess as mp;

use super::{bare, partner::alone, said};
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 100_000;
const CPYTHONS: u32 = 10_000;

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let (mutex, lock, rlock) = (bare::Mutex::new()?, mp::Lock::new()?, mp::RLock::new()?);
    let (bare_semaphore, semaphore) = (bare::Semaphore::new(1)?, mp::Semaphore::new(1)?);
    let thread_mutex = sync::Mutex::new(());
    let cpython = CPython::start(report);
    let of_cpython = |kind| cpython.time(&format!("alone {kind} {CPYTHONS}"), CPYTHONS, COUNT);

    let [
        limit,
        of_lock,
        of_rlock,
        of_std,
        of_bare_semaphore,
        of_semaphore,
        lock_of_cpython,
        rlock_of_cpython,
        semaphore_of_cpython,
    ] = take_turns(
        rounds,
        [
            &mut || alone(COUNT, || mutex.lock().and_then(|()| mutex.unlock())),
            &mut || alone(COUNT, || lock.lock().map(drop).map_err(said)),
            &mut || alone(COUNT, || rlock.lock().map(drop).map_err(said)),
            &mut || alone(COUNT, || thread_mutex.lock().map(drop).map_err(said)),
            &mut || alone(COUNT, || bare_semaphore.acquire().and_then(|()| bare_semaphore.release())),
            &mut || alone(COUNT, || semaphore.acquire().map(drop).map_err(said)),
            &mut || of_cpython("lock"),
            &mut || of_cpython("rlock"),
            &mut || of_cpython("semaphore"),
        ],
    )?;

    report.section("take and give back, alone", rounds, Measure::NanosEach(COUNT), ("bare", limit));
    report.line("limit: bare robust pthread mutex", limit);
    report.line("multiprocess, Lock", of_lock);
    report.line("multiprocess, RLock", of_rlock);
    report.line("multiprocess, Semaphore", of_semaphore);
    report.line("bare sem_t", of_bare_semaphore);
    report.line("std::sync::Mutex, for scale", of_std);
    report.verdict(Target::AtMost(1.15), "of a bare robust mutex, alone", of_lock, limit);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Lock"), lock_of_cpython);
        report.line(&format!("{version}, RLock"), rlock_of_cpython);
        report.line(&format!("{version}, Semaphore"), semaphore_of_cpython);
        report.verdict(Target::AtMost(1.00), "of CPython's Lock, alone", of_lock, lock_of_cpython);
    }
    Ok(())
}
