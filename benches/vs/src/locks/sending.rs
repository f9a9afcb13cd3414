//! A lock there and a number back, everybody on one core: for information.

use std::{hint::black_box, time::Duration};

use multiprocess as mp;
use serde::{Serialize, de::DeserializeOwned};

use super::{Done, partner::alone, said};
use crate::{
    Failure,
    pinned::Pinned,
    report::{Measure, Report},
    rounds::take_turns,
};

const COUNT: u32 = 1000;

#[mp::process_target]
fn numbers(connection: mp::Connection<u64, u64>) -> Done {
    answer(&connection, |number| number)
}

#[mp::process_target]
fn locks(connection: mp::Connection<u64, mp::Lock>) -> Done {
    answer(&connection, |lock| u64::from(lock.is_locked()))
}

/// Has one that lies in the same memory as those that come.
#[mp::process_target]
fn more_locks(connection: mp::Connection<u64, mp::Lock>, _one: mp::Lock) -> Done {
    answer(&connection, |lock| u64::from(lock.is_locked()))
}

fn answer<M: DeserializeOwned>(connection: &mp::Connection<u64, M>, weight: impl Fn(M) -> u64) -> Done {
    loop {
        match connection.recv() {
            Ok(message) => connection.send(&weight(message)).map_err(said)?,
            Err(mp::RecvError::Disconnected) => return Ok(()),
            Err(error) => return Err(said(error)),
        }
    }
}

/// Sends it again and again, and waits for the answer each time.
fn time<M: Serialize>(connection: &mp::Connection<M, u64>, message: &M) -> Result<Duration, Failure> {
    alone(COUNT, || {
        connection.send(message).map_err(said)?;
        connection.recv().map(black_box).map(drop).map_err(said)
    })
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let _pinned = Pinned::to_one_core()?;
    let (to_numbers, theirs) = mp::pipe()?;
    let of_numbers = mp::spawn(numbers, (theirs,))?;
    let (to_locks, theirs) = mp::pipe()?;
    let of_locks = mp::spawn(locks, (theirs,))?;
    let lock = mp::Lock::new()?;
    let (to_more_locks, theirs) = mp::pipe()?;
    let of_more_locks = mp::spawn(more_locks, (theirs, lock.clone()))?;
    let [number, first, further] = take_turns(
        rounds,
        [&mut || time(&to_numbers, &41), &mut || time(&to_locks, &lock), &mut || time(&to_more_locks, &lock)],
    )?;

    report.section("in a message, and a u64 back, one core", rounds, Measure::MicrosEach(COUNT), ("u64", number));
    report.line("multiprocess, a u64", number);
    report.line("multiprocess, a Lock, to one that has another", further);
    report.line("multiprocess, a Lock, to one that has none", first);
    drop((to_numbers, to_locks, to_more_locks));
    of_numbers.join()??;
    of_locks.join()??;
    of_more_locks.join()??;
    Ok(())
}
