//! An item there through one queue, and back through another: everybody on one core, then on a core each.

use std::time::Duration;

use multiprocess as mp;

use super::item::{Item, item};
use crate::{
    Failure,
    connections::{
        bare::{self as sockets, Lengths, Receive},
        work::Work,
    },
    cpython::CPython,
    locks::{
        Done,
        bare::Futex,
        games::{Ball, Pair, play},
        partner::{Orders, Partner},
        said,
    },
    pinned::{Pinned, cores},
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 1000;
const CPYTHONS: u32 = 100;
const LENGTHS: Lengths = Lengths { message: size_of::<Item>(), answer: size_of::<Item>() };

impl Ball for Pair<mp::Queue<Item>> {
    fn throw(&self, to: usize) -> Done {
        self[to].put(&item(0, 4711)).map_err(said)
    }

    fn catch(&self, side: usize) -> Done {
        let got = self[side].get().map_err(said)?;
        if got == item(0, 4711) { Ok(()) } else { Err("it is another item".to_owned()) }
    }
}

#[mp::process_target]
fn play_futexes(orders: Orders, ball: Pair<Futex>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_queues(orders: Orders, ball: Pair<mp::Queue<Item>>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

pub(super) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let cores = cores()?;
    let [futexes, queues] = on_cores(cores[0], cores[0], rounds, report)?;
    report.verdict(Target::AtMost(1.50), "of a bare futex wake, an item there and one back", queues, futexes);
    match &*cores {
        &[first, second, ..] => on_cores(first, second, rounds, report).map(drop),
        _ => {
            report.note("a round trip on two cores: skipped, there is one only");
            Ok(())
        }
    }
}

/// This process on one core, the other ones on another; what the futexes and the queues took.
fn on_cores(mine: usize, theirs: usize, rounds: usize, report: &mut Report) -> Result<[Duration; 2], Failure> {
    let on_theirs = Pinned::to(theirs)?;
    let (one, other) = (Futex::new()?, Futex::new()?);
    let futexes = [one, other];
    let of_futexes = Partner::start(play_futexes, futexes.clone(), None)?;
    let queues = [mp::Queue::unbounded()?, mp::Queue::unbounded()?];
    let of_queues = Partner::start(play_queues, queues.clone(), None)?;
    let sockets = sockets::start(Receive::Plain, LENGTHS, 1)?;
    drop(on_theirs);
    let _on_mine = Pinned::to(mine)?;
    let cpython = CPython::start(report);
    let work = Work { batches: COUNT, batch: 1 };
    let expected = LENGTHS.answer as u64;
    let [of_futex, of_queue, of_socket, of_cpython] = take_turns(
        rounds,
        [
            &mut || of_futexes.time(COUNT, |count| play(&futexes, 0, count)),
            &mut || of_queues.time(COUNT, |count| play(&queues, 0, count)),
            &mut || work.time(expected, || sockets.send(), || sockets.answer()),
            &mut || cpython.time(&format!("together queues {CPYTHONS} {mine} {theirs}"), CPYTHONS, COUNT),
        ],
    )?;

    let title = if mine == theirs { "one core" } else { "two cores" };
    let title = format!("64-byte item there and back, {title}");
    report.section(&title, rounds, Measure::MicrosEach(COUNT), ("bare", of_futex));
    report.line("limit: bare futex, wake + wait, and no item", of_futex);
    report.line("multiprocess, two Queues", of_queue);
    report.line("bare SEQPACKET socket", of_socket);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, two Queues"), of_cpython);
    }
    of_futexes.end()?;
    of_queues.end()?;
    sockets.end()?;
    Ok([of_futex, of_queue])
}
