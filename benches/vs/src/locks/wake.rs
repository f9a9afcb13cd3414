//! To wake somebody and be woken, everybody on one core.

use std::time::Duration;

use multiprocess as mp;

use super::{
    Done, bare,
    games::{Ball, BareCondition, OurCondition, Pair, play},
    partner::{Orders, Partner},
};
use crate::{
    Failure,
    cpython::CPython,
    pinned::Pinned,
    report::{Measure, Report, Target},
    rounds::take_turns,
};

const COUNT: u32 = 1000;
const CPYTHONS: u32 = 100;

#[mp::process_target]
fn play_futexes(orders: Orders, ball: Pair<bare::Futex>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_events(orders: Orders, ball: Pair<mp::Event>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_condition(orders: Orders, ball: OurCondition) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_bare_condition(orders: Orders, ball: BareCondition) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_semaphores(orders: Orders, ball: Pair<mp::Semaphore>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

#[mp::process_target]
fn play_bare_semaphores(orders: Orders, ball: Pair<bare::Semaphore>) -> Done {
    orders.obey(|count| play(&ball, 1, count))
}

/// Who plays against a child.
struct Game<B>(B, Partner);

impl<B: Ball + Clone> Game<B> {
    fn start<F: mp::Target<Args = (Orders, B), Output = Done>>(target: F, ball: B) -> Result<Self, Failure> {
        let partner = Partner::start(target, ball.clone(), None)?;
        Ok(Self(ball, partner))
    }

    fn time(&self) -> Result<Duration, Failure> {
        self.1.time(COUNT, |count| play(&self.0, 0, count))
    }
}

pub(crate) fn compare(rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let _pinned = Pinned::to_one_core()?;
    let futexes = Game::start(play_futexes, [bare::Futex::new()?, bare::Futex::new()?])?;
    let events = Game::start(play_events, [mp::Event::new()?, mp::Event::new()?])?;
    let condition = Game::start(play_condition, OurCondition(mp::Condition::new()?, mp::RawValue::new(0)?))?;
    let ball = BareCondition(bare::Mutex::new()?, bare::Condition::new()?, mp::RawValue::new(0)?);
    let bare_condition = Game::start(play_bare_condition, ball)?;
    let semaphores = Game::start(play_semaphores, [mp::Semaphore::new(0)?, mp::Semaphore::new(0)?])?;
    let bare_semaphores = Game::start(play_bare_semaphores, [bare::Semaphore::new(0)?, bare::Semaphore::new(0)?])?;
    let cpython = CPython::start(report);
    let of_cpython = |kind| cpython.time(&format!("together {kind} {CPYTHONS}"), CPYTHONS, COUNT);

    let [
        limit,
        of_events,
        of_condition,
        of_bare_condition,
        of_semaphores,
        of_bare_semaphores,
        events_of_cpython,
        condition_of_cpython,
        semaphores_of_cpython,
    ] = take_turns(
        rounds,
        [
            &mut || futexes.time(),
            &mut || events.time(),
            &mut || condition.time(),
            &mut || bare_condition.time(),
            &mut || semaphores.time(),
            &mut || bare_semaphores.time(),
            &mut || of_cpython("events"),
            &mut || of_cpython("condition"),
            &mut || of_cpython("semaphores"),
        ],
    )?;

    report.section("there and back, one core", rounds, Measure::MicrosEach(COUNT), ("bare", limit));
    report.line("limit: bare futex, wake + wait", limit);
    report.line("multiprocess, two Events", of_events);
    report.line("multiprocess, a Condition", of_condition);
    report.line("multiprocess, two Semaphores", of_semaphores);
    report.line("bare pthread_cond_t, robust mutex", of_bare_condition);
    report.line("bare sem_t, two", of_bare_semaphores);
    report.verdict(Target::AtMost(1.30), "of a bare futex wake, by an Event", of_events, limit);
    report.verdict(Target::AtMost(1.30), "of a bare futex wake, by a Condition", of_condition, limit);
    if let Some(version) = cpython.version() {
        report.line(&format!("{version}, two Events"), events_of_cpython);
        report.line(&format!("{version}, a Condition"), condition_of_cpython);
        report.line(&format!("{version}, two Semaphores"), semaphores_of_cpython);
    }
    let partners = [futexes.1, events.1, condition.1, bare_condition.1, semaphores.1, bare_semaphores.1];
    partners.into_iter().try_for_each(Partner::end)
}
