//! What other crates do with the same numbers: rayon's threads, and procspawn's processes.

use std::collections::VecDeque;

use rayon::{
    ThreadPool, ThreadPoolBuilder,
    iter::{IntoParallelIterator, ParallelIterator},
};

use super::square;
use crate::Failure;

/// Two threads that stay.
pub(super) fn rayon() -> Result<ThreadPool, Failure> {
    Ok(ThreadPoolBuilder::new().num_threads(2).build()?)
}

/// It splits the numbers as it likes.
pub(super) fn rayon_map(pool: &ThreadPool, count: u32) -> u64 {
    let squares: Vec<_> = pool.install(|| (0..u64::from(count)).into_par_iter().map(*square).collect());
    squares.into_iter().fold(0, u64::wrapping_add)
}

/// A task for each.
pub(super) fn rayon_spawns(pool: &ThreadPool, count: u32) -> u64 {
    let mut squares = vec![0; count as usize];
    pool.in_place_scope(|scope| {
        for (x, place) in (0..).zip(&mut squares) {
            scope.spawn(move |_| *place = square(x));
        }
    });
    squares.into_iter().fold(0, u64::wrapping_add)
}

/// A task for each; it has nothing that makes chunks.
pub(super) fn procspawn_spawns(pool: &procspawn::Pool, count: u32) -> Result<u64, Failure> {
    // Each task has two channels until its result is taken: all at once would be more descriptors than a process may have.
    const AT_ONCE: usize = 100;
    let (mut tasks, mut sum) = (VecDeque::new(), 0_u64);
    for x in 0..u64::from(count) {
        if tasks.len() == AT_ONCE {
            sum = sum.wrapping_add(tasks.pop_front().map_or(Ok(0), procspawn::JoinHandle::join)?);
        }
        tasks.push_back(pool.spawn(x, *square));
    }
    tasks.into_iter().try_fold(sum, |sum, task| Ok(sum.wrapping_add(task.join()?)))
}
