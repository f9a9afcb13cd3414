//! 64 bytes from one process to another, wherever the scheduler has them.

use std::{cell::Cell, time::Duration};

use multiprocess as mp;

use super::{
    at_millions,
    bare::Bare,
    channel::Channel,
    iceoryx2::Iceoryx2,
    item::{Item, item, sum_of},
    ours::{By, MANY, Ours},
};
use crate::{
    Failure,
    connections::{
        ipc_channel::{self, answer_batches},
        work::{Served, Work},
    },
    cpython::CPython,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 200_000;
/// For those whose turns would be much longer: what they do, and are charged ten times for.
const OTHERS: u32 = COUNT / 10;
const CPYTHONS: u32 = 4000;
const BOUND: usize = 1000;
/// What the targets would take.
const ONES_WANTED: Duration = at_millions(5.0, COUNT);
const MANY_WANTED: Duration = at_millions(20.0, COUNT);

#[mp::process_target]
fn answer_items(server: String, batch: u32) -> Served {
    answer_batches::<Item>(server, batch)
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let ring = Bare::start(1)?;
    let stepping = Bare::start(32)?;
    let ones = Ours::start(mp::Queue::unbounded()?, By::Ones)?;
    let many = Ours::start(mp::Queue::unbounded()?, By::Many)?;
    let bounded_ones = Ours::start(mp::Queue::bounded(BOUND)?, By::Ones)?;
    let bounded_many = Ours::start(mp::Queue::bounded(BOUND)?, By::Many)?;
    let channel = Channel::start()?;
    let iceoryx2 = Iceoryx2::start()?;
    let ipc_channel = ipc_channel::start(answer_items, OTHERS)?;
    let work = Work { batches: 1, batch: OTHERS };
    let sequence = Cell::new(0);
    let send = || ipc_channel.send(item(0, sequence.replace((sequence.get() + 1) % OTHERS)));
    let cpython = CPython::start(report);

    let [
        of_ring,
        of_stepping,
        of_ones,
        of_many,
        of_bounded_ones,
        of_bounded_many,
        of_channel,
        of_iceoryx2,
        of_ipc_channel,
        of_cpython,
    ] = take_turns(
        rounds,
        [
            &mut || ring.time(COUNT),
            &mut || stepping.time(COUNT),
            &mut || ones.time(COUNT),
            &mut || many.time(COUNT),
            &mut || bounded_ones.time(COUNT),
            &mut || bounded_many.time(COUNT),
            &mut || Ok(channel.time(OTHERS)? * (COUNT / OTHERS)),
            &mut || iceoryx2.time(COUNT),
            &mut || Ok(work.time(sum_of(1, OTHERS), send, || ipc_channel.answer())? * (COUNT / OTHERS)),
            &mut || cpython.time(&format!("together queue {CPYTHONS}"), CPYTHONS, COUNT),
        ],
    )?;

    report.section("64-byte items, 1 producer, 1 consumer", rounds, Measure::Messages(COUNT), ("ring", of_stepping));
    report.line("limit: bare ring, never asleep, told of every 32nd", of_stepping);
    report.line("the same, told of each", of_ring);
    report.line("multiprocess, Queue, put and get", of_ones);
    report.line(&format!("multiprocess, Queue, put_many and get_many, {MANY}"), of_many);
    report.line(&format!("multiprocess, Queue of {BOUND}, put and get"), of_bounded_ones);
    report.line(&format!("multiprocess, Queue of {BOUND}, put_many and get_many"), of_bounded_many);
    report.line("multiprocess, channel", of_channel);
    report.line("iceoryx2 0.10.0, looks again and again", of_iceoryx2);
    report.line("ipc-channel 0.23.1", of_ipc_channel);
    report.verdict(Target::AtLeast(1.00), "times 5 million items a second, one by one", ONES_WANTED, of_ones);
    report.verdict(Target::AtLeast(1.00), "times 20 million items a second, many at once", MANY_WANTED, of_many);
    report.verdict(Target::AtLeast(1.00), "times 5 million items a second, bounded", ONES_WANTED, of_bounded_ones);
    let what = "times 20 million items a second, bounded, many";
    report.verdict(Target::AtLeast(1.00), what, MANY_WANTED, of_bounded_many);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Queue, a tuple of the same"), of_cpython);
    }
    ring.end()?;
    stepping.end()?;
    [ones, many, bounded_ones, bounded_many].into_iter().try_for_each(Ours::end)?;
    channel.end()?;
    iceoryx2.end()?;
    ipc_channel.end()
}
