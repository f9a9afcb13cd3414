//! The same with N children at a time.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, IsTerminal, Write},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use multiprocess as mp;

use crate::count::{Counts, count};

/// More than one, so that nobody waits long for whoever has the slowest share.
pub(crate) const SHARES_PER_PROCESS: usize = 4;

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Counts each share in a process of its own, `jobs` at a time, and puts the counts together. A child that fails
/// costs its share only, and its failure is returned.
pub(crate) fn count_in_children(shares: &[Vec<OsString>], jobs: usize) -> (Counts, Vec<Failure>) {
    let (mut counts, mut failures) = (Counts::default(), Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..jobs.min(shares.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(share) = shares.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sender.send(count_in_child(share)).ok();
                }
            });
        }
        drop(sender);
        for (done, result) in results.iter().enumerate() {
            match result {
                Ok(more) => counts.add(more),
                Err(failure) => failures.push(failure),
            }
            progress(done + 1, shares.len());
        }
    });
    (counts, failures)
}

fn count_in_child(share: &[OsString]) -> Result<Counts, Failure> {
    Ok(mp::Process::new(count, (share.to_vec(),)).name("counter").start()?.join()?)
}

/// One line that is written over; in a log it is three.
fn progress(done: usize, all: usize) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        write!(stderr, "\r{done} of {all} shares counted{end}").ok();
    } else if done == 1 || done == all / 2 || done == all {
        writeln!(stderr, "{done} of {all} shares counted").ok();
    }
}
