//! A few jobs at the same time.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::sys::signal;

/// Does all jobs, each in a thread of its own as far as there are threads to be had; returns when all are done.
pub(super) fn together<J: Send>(jobs: Vec<J>, work: impl Fn(J) -> io::Result<()> + Sync) -> io::Result<()> {
    let helpers = 1..jobs.len();
    let jobs = Mutex::new(jobs);
    let work_off = || loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match job {
            Some(job) => work(job)?,
            None => return Ok(()),
        }
    };
    thread::scope(|scope| {
        // The program's signal handlers are not to run on a thread that it does not know.
        let blocked = if helpers.is_empty() { None } else { Some(signal::block_all()?) };
        let helpers: Vec<_> =
            helpers.map_while(|_| thread::Builder::new().spawn_scoped(scope, work_off).ok()).collect();
        drop(blocked);
        let own = work_off();
        let others =
            helpers.into_iter().map(|helper| helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        others.fold(own, Result::and)
    })
}
