//! Large items, one process to another: a queue next to a channel.

use multiprocess as mp;

use crate::{
    Failure, LARGE, MIB,
    cpython::CPython,
    locks::{
        Done,
        partner::{Orders, Partner},
        said,
    },
    report::{Measure, Report, Target},
    rounds::take_turns,
};

/// What a turn has of one size.
struct Size {
    name: &'static str,
    bytes: usize,
    count: u32,
    /// CPython's kind of it, and how many of them.
    kind: &'static str,
    cpythons: u32,
}

const SIZES: [Size; 2] = [
    Size { name: "64 MiB", bytes: LARGE, count: 4, kind: "large", cpythons: 1 },
    Size { name: "1 MiB", bytes: MIB, count: 64, kind: "mib", cpythons: 16 },
];

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    SIZES.iter().try_for_each(|size| of_size(size, rounds, report))
}

fn of_size(size: &Size, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let (to_queue, from_queue) = mp::Queue::unbounded()?.split();
    let (to_channel, from_channel) = mp::channel()?;
    let of_queue = Partner::start(get_large, (from_queue, size.bytes), None)?;
    let of_channel = Partner::start(receive_large, (from_channel, size.bytes), None)?;
    let cpython = CPython::start(report);
    let bytes = vec![1_u8; size.bytes];
    let count = size.count;
    let [channel, queue, of_cpython] = take_turns(
        rounds,
        [
            &mut || of_channel.time(count, |count| repeat(count, || to_channel.send(&bytes).map_err(said))),
            &mut || of_queue.time(count, |count| repeat(count, || to_queue.put(&bytes).map_err(said))),
            &mut || cpython.time(&format!("together {} {}", size.kind, size.cpythons), size.cpythons, count),
        ],
    )?;

    let (name, moved) = (size.name, size.bytes * count as usize);
    report.section(&format!("{name} Vec<u8>"), rounds, Measure::Bytes(moved), ("channel", channel));
    report.line("multiprocess, channel", channel);
    report.line("multiprocess, Queue", queue);
    report.verdict(Target::AtLeast(1.00), &format!("times the channel's rate, {name}"), channel, queue);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, Queue, bytes"), of_cpython);
    }
    of_queue.end()?;
    of_channel.end()
}

#[mp::process_target]
fn get_large(orders: Orders, things: (mp::QueueReceiver<Vec<u8>>, usize)) -> Done {
    let (receiver, bytes) = things;
    orders.obey(|count| repeat(count, || check(&receiver.get().map_err(said)?, bytes)))
}

#[mp::process_target]
fn receive_large(orders: Orders, things: (mp::Receiver<Vec<u8>>, usize)) -> Done {
    let (receiver, bytes) = things;
    orders.obey(|count| repeat(count, || check(&receiver.recv().map_err(said)?, bytes)))
}

/// All of it has come: as the transports do not look at the bytes, neither is time spent on all of them here.
fn check(got: &[u8], bytes: usize) -> Done {
    let is_whole = got.len() == bytes && got.iter().step_by(MIB / 4).chain(got.last()).all(|&byte| byte == 1);
    if is_whole { Ok(()) } else { Err("it is another item".to_owned()) }
}

fn repeat(count: u32, mut step: impl FnMut() -> Done) -> Done {
    (0..count).try_for_each(|_| step())
}
