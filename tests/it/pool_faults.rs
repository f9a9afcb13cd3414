//! What can go wrong with one task, at each step of its way: it is that task's error alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::exit,
    time::Duration,
};

use multiprocess as mp;
use nix::{
    libc,
    sys::signal::{Signal, raise},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::Error as _,
    ser::{Error as _, SerializeTuple},
};

use super::{
    pool::{items, pool, square},
    support::{eventually, watchdog},
};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Deed {
    Nothing,
    Error,
    Panic,
    Exit,
    Abort,
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Step {
    EncodeTask,
    DecodeTask,
    Run,
    EncodeResult,
    DecodeResult,
}

impl Deed {
    fn is_done(self, number: u64) -> Result<(), String> {
        match self {
            Self::Nothing => Ok(()),
            Self::Error => Err(format!("{number} will not do")),
            Self::Panic => panic!("{number} is too much"),
            Self::Exit => exit(3),
            Self::Abort => {
                eprintln!("the first of {number}\nthe last of {number}");
                std::process::abort()
            }
            Self::Kill => {
                raise(Signal::SIGKILL).unwrap();
                Ok(())
            }
        }
    }
}

/// Goes there as arguments, or back as a result, and does something on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bomb<const IS_TASK: bool> {
    number: u64,
    step: Step,
    deed: Deed,
}

impl<const IS_TASK: bool> Bomb<IS_TASK> {
    fn at(&self, task: Step, result: Step) -> Result<(), String> {
        let here = if IS_TASK { task } else { result };
        if self.step == here { self.deed.is_done(self.number) } else { Ok(()) }
    }
}

impl<const IS_TASK: bool> Serialize for Bomb<IS_TASK> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(3)?;
        tuple.serialize_element(&self.number)?;
        // In the middle of it.
        self.at(Step::EncodeTask, Step::EncodeResult).map_err(S::Error::custom)?;
        tuple.serialize_element(&self.step)?;
        tuple.serialize_element(&self.deed)?;
        tuple.end()
    }
}

impl<'de, const IS_TASK: bool> Deserialize<'de> for Bomb<IS_TASK> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (number, step, deed) = Deserialize::deserialize(deserializer)?;
        let bomb = Self { number, step, deed };
        bomb.at(Step::DecodeTask, Step::DecodeResult).map_err(D::Error::custom)?;
        Ok(bomb)
    }
}

#[mp::process_target]
fn pass(bomb: Bomb<true>) -> Result<Bomb<false>, String> {
    let Bomb { number, step, deed } = bomb;
    if step == Step::Run {
        deed.is_done(number)?;
    }
    Ok(Bomb { number: number + 1000, step, deed })
}

const COUNT: u64 = 60;
const BAD: [u64; 2] = [7, 41];

/// Two bad ones among many good ones.
fn bombs(step: Step, deed: Deed) -> impl Iterator<Item = Bomb<true>> {
    (0..COUNT).map(move |number| Bomb { number, step, deed: if BAD.contains(&number) { deed } else { Deed::Nothing } })
}

type Outcome = Result<Result<Bomb<false>, String>, mp::TaskError>;

/// Whether it is what such a deed at such a step comes to.
fn check(outcome: &Outcome, number: u64, step: Step, deed: Deed) {
    let what = format!("{number}: {deed:?} at {step:?} came to {outcome:?}");
    let error = match outcome {
        Ok(value) => {
            if step == Step::Run && deed == Deed::Error && BAD.contains(&number) {
                assert_eq!(value.as_ref().unwrap_err(), &format!("{number} will not do"));
            } else {
                assert!(!BAD.contains(&number), "{what}");
                assert_eq!(value.as_ref().unwrap().number, number + 1000);
            }
            return;
        }
        Err(error) => error,
    };
    assert!(BAD.contains(&number), "{what}");
    let facts = error.facts();
    assert_eq!(facts.index(), number, "{what}");
    assert!(facts.target().contains("pass"), "{what}");
    let ran = step != Step::EncodeTask;
    let is_here = matches!(step, Step::EncodeTask | Step::DecodeResult);
    if !is_here {
        assert_eq!(facts.attempt(), 1, "{what}");
        assert!(facts.worker().unwrap().starts_with("PoolWorker-") && facts.pid() > Some(1), "{what}");
    }
    assert!(ran || facts.attempt() == 0 && facts.pid().is_none(), "{what}");
    let status = facts.exit_status();
    // The one in a result has another number.
    let said = number + if matches!(step, Step::EncodeResult | Step::DecodeResult) { 1000 } else { 0 };
    assert_eq!(status.is_some(), error.is_worker_death(), "{what}");
    let signal = status.and_then(mp::ExitStatus::signal);
    let is_right = match (deed, error) {
        (Deed::Error, mp::TaskError::Unencodable(..)) => step == Step::EncodeTask,
        (Deed::Error, mp::TaskError::Refused(..)) => step == Step::DecodeTask,
        (Deed::Error, mp::TaskError::Undecodable(..)) => matches!(step, Step::EncodeResult | Step::DecodeResult),
        (Deed::Panic, mp::TaskError::Panicked(_, panic)) => {
            panic.message() == format!("{said} is too much")
                && panic.location().is_some_and(|(file, ..)| file.ends_with("pool_faults.rs"))
        }
        (Deed::Exit, mp::TaskError::Exited(_)) => facts.exit_code() == Some(3),
        (Deed::Abort, mp::TaskError::Aborted(_)) => {
            signal == Some(libc::SIGABRT) && facts.stderr() == format!("the first of {said}\nthe last of {said}")
        }
        (Deed::Kill, mp::TaskError::Killed(_)) => signal == Some(libc::SIGKILL) && facts.stderr() == "",
        _ => false,
    };
    assert!(is_right, "{what}");
    if deed == Deed::Error {
        assert!(error.to_string().contains(&format!("{said} will not do")), "{what}");
    }
}

/// All ways of a map, and single tasks.
fn check_all(pool: &mp::Pool, step: Step, deed: Deed) {
    for options in [mp::TaskOptions::new(), mp::TaskOptions::new().chunk_size(items(1))] {
        let tasks = pool.with(options);
        let results: Vec<_> = tasks.imap(pass, bombs(step, deed)).collect();
        assert_eq!(results.len() as u64, COUNT, "{deed:?} at {step:?}");
        results.iter().zip(0..).for_each(|(result, number)| check(result, number, step, deed));
        let mut seen = vec![false; COUNT as usize];
        for result in tasks.imap_unordered(pass, bombs(step, deed)) {
            let number = match &result {
                Ok(Ok(bomb)) => bomb.number - 1000,
                Ok(Err(text)) => text.split(' ').next().unwrap().parse().unwrap(),
                Err(error) => error.facts().index(),
            };
            check(&result, number, step, deed);
            assert!(!std::mem::replace(&mut seen[number as usize], true), "{number} twice");
        }
        assert!(seen.iter().all(|seen| *seen));
        let joined = tasks.map(pass, bombs(step, deed));
        match joined {
            Ok(values) => assert!((step, deed) == (Step::Run, Deed::Error) && values.len() as u64 == COUNT),
            Err(error) => assert_eq!(error.facts().index(), BAD[0], "{error}"),
        }
    }
    assert_eq!(pool.call(square, (7,)).unwrap(), 49);
}

const IN_THE_WORKER: [Step; 3] = [Step::DecodeTask, Step::Run, Step::EncodeResult];

#[test]
fn an_error_at_each_step_is_one_tasks() {
    let _watchdog = watchdog();
    let pool = pool(2);
    for step in [Step::EncodeTask, Step::DecodeResult].into_iter().chain(IN_THE_WORKER) {
        check_all(&pool, step, Deed::Error);
        let tasks = bombs(step, Deed::Error).map(|bomb| pool.submit(pass, (bomb,)));
        for (task, number) in tasks.zip(0..) {
            match task {
                Ok(task) => match (task.join(), BAD.contains(&number)) {
                    (Ok(Ok(bomb)), false) => assert_eq!(bomb.number, number + 1000),
                    (Ok(Err(_)), true) => assert_eq!(step, Step::Run),
                    (Err(_), true) => assert_ne!(step, Step::Run),
                    (other, _) => panic!("{number}: {other:?}"),
                },
                Err(error) => assert!(step == Step::EncodeTask && error.is_encode(), "{error}"),
            }
        }
    }
    assert_eq!(pool.restarts(), 0, "an error costs no worker");
}

#[test]
fn a_panic_at_each_step_of_a_worker_is_one_tasks() {
    let _watchdog = watchdog();
    let pool = pool(2);
    for step in IN_THE_WORKER {
        check_all(&pool, step, Deed::Panic);
    }
    assert_eq!(pool.restarts(), 0, "a panic costs no worker");
}

fn deaths_at_each_step(deed: Deed) {
    let pool = pool(2);
    for (round, step) in (1..).zip(IN_THE_WORKER) {
        check_all(&pool, step, deed);
        // Six maps with two bad ones in each.
        eventually("all workers", || pool.restarts() == round * 12);
    }
}

#[test]
fn an_exit_at_each_step_is_one_tasks() {
    let _watchdog = watchdog();
    deaths_at_each_step(Deed::Exit);
}

#[test]
fn an_abort_at_each_step_is_one_tasks() {
    let _watchdog = watchdog();
    deaths_at_each_step(Deed::Abort);
}

#[test]
fn a_kill_at_each_step_is_one_tasks() {
    let _watchdog = watchdog();
    deaths_at_each_step(Deed::Kill);
}

/// Code of the caller's panics in the caller; that is its own business, and no other item's.
fn panics_here(step: Step) {
    let pool = pool(2);
    for round in 0..20 {
        let tasks = match round % 2 {
            0 => pool.with(mp::TaskOptions::new().chunk_size(items(1))),
            _ => pool.with(mp::TaskOptions::new()),
        };
        let mut results: Box<dyn Iterator<Item = Outcome>> = match round % 4 {
            0 | 1 => Box::new(tasks.imap(pass, bombs(step, Deed::Panic))),
            _ => Box::new(tasks.imap_unordered(pass, bombs(step, Deed::Panic))),
        };
        let (mut panics, mut seen) = (Vec::new(), Vec::new());
        loop {
            match catch_unwind(AssertUnwindSafe(|| results.next())) {
                Ok(Some(result)) => seen.push(result.unwrap().unwrap().number - 1000),
                Ok(None) => break,
                Err(panic) => panics.push(*panic.downcast::<String>().unwrap()),
            }
        }
        let good: Vec<_> = (0..COUNT).filter(|number| !BAD.contains(number)).collect();
        let more = if step == Step::DecodeResult { 1000 } else { 0 };
        let mut bad = BAD.map(|number| format!("{} is too much", number + more));
        if round % 4 > 1 {
            seen.sort_unstable();
            panics.sort_unstable();
            bad.sort_unstable();
        }
        assert_eq!((panics, seen), (bad.to_vec(), good), "{step:?}, round {round}");
    }
    let all = catch_unwind(AssertUnwindSafe(|| pool.map(pass, bombs(step, Deed::Panic)).map(drop)));
    assert!(all.unwrap_err().downcast::<String>().unwrap().ends_with("is too much"));
    let bomb = Bomb { number: 1, step, deed: Deed::Panic };
    let call = catch_unwind(AssertUnwindSafe(|| pool.call(pass, (bomb,)).map(drop)));
    assert!(call.unwrap_err().downcast::<String>().unwrap().ends_with("1 is too much"));
    assert_eq!(pool.call(square, (7,)).unwrap(), 49);
    assert_eq!(pool.restarts(), 0);
}

#[test]
fn arguments_whose_encoding_panics_harm_no_other_item() {
    let _watchdog = watchdog();
    panics_here(Step::EncodeTask);
}

#[test]
fn a_result_whose_decoding_panics_harms_no_other_item() {
    let _watchdog = watchdog();
    panics_here(Step::DecodeResult);
}

/// Tells who runs it, and does something.
#[mp::process_target]
fn tells_and_does(told: mp::QueueSender<u32>, deed: Deed) {
    told.put(&std::process::id()).unwrap();
    deed.is_done(5).unwrap();
}

fn attempts(tasks: &mp::Tasks<'_, mp::Pool>, deed: Deed) -> (Vec<u32>, Result<(), mp::TaskError>) {
    let (sender, told) = mp::Queue::unbounded().unwrap().split();
    let result = tasks.call(tells_and_does, (sender, deed));
    (told.drain().map(Result::unwrap).collect(), result)
}

#[test]
fn a_task_has_as_many_attempts_as_are_asked_for() {
    let _watchdog = watchdog();
    let pool = pool(3);
    for times in 0..4_u32 {
        for deed in [Deed::Exit, Deed::Abort, Deed::Kill] {
            let (pids, result) = attempts(&pool.with(mp::TaskOptions::new().retries(times)), deed);
            let error = result.unwrap_err();
            assert_eq!((pids.len() as u32, error.facts().attempt()), (times + 1, times + 1), "{error}");
            assert_eq!(pids.last().copied(), error.facts().pid());
            let last = match &error {
                mp::TaskError::Poisoned(_, last) if times > 0 => last,
                error => error,
            };
            let is_right = match last {
                mp::TaskError::Exited(_) => deed == Deed::Exit,
                mp::TaskError::Aborted(facts) => deed == Deed::Abort && facts.stderr().ends_with("the last of 5"),
                mp::TaskError::Killed(_) => deed == Deed::Kill,
                _ => false,
            };
            assert!(is_right, "{error}");
            let deaths = mp::Retry::times(times).after_deaths(false);
            assert_eq!(attempts(&pool.with(mp::TaskOptions::new().retry(deaths)), deed).0.len(), 1);
        }
        // After a panic only when asked to, and by another worker each time.
        let (pids, result) = attempts(&pool.with(mp::TaskOptions::new().retries(times)), Deed::Panic);
        assert_eq!((pids.len(), result.unwrap_err().facts().attempt()), (1, 1));
        let retry = mp::Retry::times(times).after_panics(true).back_off(Duration::from_millis(2));
        let (pids, result) = attempts(&pool.with(mp::TaskOptions::new().retry(retry)), Deed::Panic);
        assert!(pids.windows(2).all(|two| two[0] != two[1]), "{pids:?}");
        let error = result.unwrap_err();
        assert_eq!((pids.len() as u32, error.facts().attempt()), (times + 1, times + 1));
        assert!(matches!(error, mp::TaskError::Panicked(..)), "a panic poisons nothing: {error}");
        attempts(&pool.with(mp::TaskOptions::new().retry(retry)), Deed::Nothing).1.unwrap();
    }
}

/// Ends its worker until it has been tried so often; each item counts for itself.
#[mp::process_target]
fn at_last(item: u32, tried: mp::Array<u32>, deed: Deed) -> u32 {
    let before = tried.get(item as usize).unwrap();
    tried.set(item as usize, before + 1).unwrap();
    if item % 10 == 3 && before < 2 {
        deed.is_done(u64::from(item)).unwrap();
    }
    item
}

#[test]
fn retries_of_a_map_are_of_its_bad_items_only() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = pool(2);
    for deed in [Deed::Exit, Deed::Abort, Deed::Kill, Deed::Panic] {
        let tried = mp::Array::from_slice(&[0_u32; 50])?;
        let tasks = pool.with(mp::TaskOptions::new().retry(mp::Retry::times(2).after_panics(true)));
        let results = tasks.starmap(at_last, (0..50).map(|item| (item, tried.clone(), deed)))?;
        assert!(results.into_iter().eq(0..50));
        let tried = tried.to_vec()?;
        for (item, tried) in tried.iter().enumerate() {
            assert_eq!(*tried, if item % 10 == 3 { 3 } else { 1 }, "{deed:?} of {item}");
        }
    }
    Ok(())
}
