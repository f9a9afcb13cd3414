//! 64 bytes from two processes to two others, wherever the scheduler has them.

use std::time::Duration;

use multiprocess as mp;

use super::{
    at_millions,
    ours::{By, MANY, Ours},
};
use crate::{
    Failure,
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

/// Of each producer, and for each consumer.
const COUNT: u32 = 100_000;
const ITEMS: u32 = 2 * COUNT;
const CPYTHONS: u32 = 2000;
/// What the targets would take.
const ONES_WANTED: Duration = at_millions(2.5, ITEMS);
const MANY_WANTED: Duration = at_millions(10.0, ITEMS);

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let ones = Ours::start_crowd(mp::Queue::unbounded()?, By::Ones)?;
    let many = Ours::start_crowd(mp::Queue::unbounded()?, By::Many)?;
    let cpython = CPython::start(report);
    let [of_ones, of_many, of_cpython] = take_turns(
        rounds,
        [&mut || ones.time(COUNT), &mut || many.time(COUNT), &mut || {
            cpython.time(&format!("together crowd {CPYTHONS}"), CPYTHONS, COUNT)
        }],
    )?;

    report.section(
        "64-byte items, 2 producers, 2 consumers",
        rounds,
        Measure::Messages(ITEMS),
        ("one by one", of_ones),
    );
    report.line("multiprocess, Queue, put and get", of_ones);
    report.line(&format!("multiprocess, Queue, put_many and get_many, {MANY}"), of_many);
    report.verdict(Target::AtLeast(1.00), "times 2.5 million items a second, 2 to 2", ONES_WANTED, of_ones);
    report.verdict(
        Target::AtLeast(1.00),
        "times 10 million items a second, 2 to 2, many at once",
        MANY_WANTED,
        of_many,
    );
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Queue, a tuple of the same"), of_cpython);
    }
    ones.end()?;
    many.end()
}
