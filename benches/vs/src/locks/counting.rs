//! A number is counted up: alone, then by two processes at once, on a core each. None may be lost.

use std::{sync::atomic::AtomicU64, time::Duration};

use multiprocess as mp;

use super::{
    Done,
    counters::{Bare, Counter},
    partner::{Orders, Partner, alone},
};
use crate::{
    Failure,
    cpython::CPython,
    pinned::{Pinned, cores},
    report::{Measure, Report, Target},
    rounds::take_turns,
};

/// Of each.
const COUNT: u32 = 100_000;
const CPYTHONS: u32 = 10_000;
/// What 20 million a second take: that is the target.
const WANTED: Duration = Duration::from_nanos(50).saturating_mul(COUNT);

#[mp::process_target]
fn count_bare(orders: Orders, counter: Bare) -> Done {
    orders.obey(|count| counter.count(count))
}

#[mp::process_target]
fn count_value(orders: Orders, counter: mp::Value<u64>) -> Done {
    orders.obey(|count| counter.count(count))
}

#[mp::process_target]
fn count_large(orders: Orders, counter: mp::Value<[u64; 8]>) -> Done {
    orders.obey(|count| counter.count(count))
}

#[mp::process_target]
fn count_raw(orders: Orders, counter: mp::RawValue<AtomicU64>) -> Done {
    orders.obey(|count| counter.count(count))
}

pub(crate) fn alone_and_together(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let cpython = CPython::start(report);
    let version = cpython.version();

    let (one, other) = (Bare::new()?, mp::Value::new(0_u64)?);
    let (large, raw) = (mp::Value::new([0_u64; 8])?, mp::RawValue::<AtomicU64>::new(0)?);
    let times = take_turns(
        rounds,
        [
            &mut || alone(COUNT, || one.add_one()),
            &mut || alone(COUNT, || other.add_one()),
            &mut || alone(COUNT, || large.add_one()),
            &mut || alone(COUNT, || raw.add_one()),
            &mut || cpython.time(&format!("alone value {CPYTHONS}"), CPYTHONS, COUNT),
        ],
    )?;
    show("count up, alone", rounds, version, Measure::NanosEach(COUNT), times, report);
    report.verdict(Target::AtLeast(1.00), "times 20 million increments a second, alone", WANTED, times[1]);
    if version.is_some() {
        report.verdict(Target::AtLeast(1.00), "times CPython's increments, alone", times[4], times[1]);
    }

    let &[first, second, ..] = &*cores()? else {
        report.note("two processes that count: skipped, there is one core only");
        return Ok(());
    };
    let _pinned = Pinned::to(first)?;
    let of_bare = Together::start(count_bare, one, second)?;
    let of_value = Together::start(count_value, other, second)?;
    let of_large = Together::start(count_large, large, second)?;
    let of_raw = Together::start(count_raw, raw, second)?;
    // Their turns take longer.
    let rounds = rounds.div_ceil(4);
    let times = take_turns(
        rounds,
        [&mut || of_bare.time(), &mut || of_value.time(), &mut || of_large.time(), &mut || of_raw.time(), &mut || {
            cpython.time(&format!("together value {CPYTHONS} {first} {second}"), CPYTHONS, COUNT)
        }],
    )?;
    show("count up, two at once, two cores", rounds, version, Measure::Messages(2 * COUNT), times, report);
    if version.is_some() {
        report.verdict(Target::AtLeast(1.00), "times CPython's increments, two at once", times[4], times[1]);
    }
    [of_bare.partner, of_value.partner, of_large.partner, of_raw.partner].into_iter().try_for_each(Partner::end)
}

/// A counter, and a child that has it too.
struct Together<C> {
    counter: C,
    partner: Partner,
}

impl<C: Counter> Together<C> {
    fn start<F: mp::Target<Args = (Orders, C), Output = Done>>(
        target: F,
        counter: C,
        core: usize,
    ) -> Result<Self, Failure> {
        let partner = Partner::start(target, counter.clone(), Some(core))?;
        Ok(Self { counter, partner })
    }

    fn time(&self) -> Result<Duration, Failure> {
        let before = self.counter.sum();
        let taken = self.partner.time(COUNT, |count| self.counter.count(count))?;
        let counted = self.counter.sum() - before;
        if counted == 2 * u64::from(COUNT) { Ok(taken) } else { Err(format!("{counted} of {COUNT} twice").into()) }
    }
}

fn show(
    title: &str,
    rounds: usize,
    version: Option<&str>,
    measure: Measure,
    [bare, value, large, raw, cpython]: [Duration; 5],
    report: &mut Report,
) {
    report.section(title, rounds, measure, ("bare", bare));
    report.line("limit: a number, bare robust pthread mutex", bare);
    report.line("multiprocess, Value<u64>", value);
    report.line("multiprocess, Value of 64 bytes, all changed", large);
    report.line("multiprocess, RawValue<AtomicU64>, without a lock", raw);
    if let Some(version) = version {
        report.line(&format!("{version}, Value, += 1 under its lock"), cpython);
    }
}
