//! Executors: one behaviour suite for processes, threads, the caller itself, and one that this file adds.

use std::{
    collections::HashSet,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{join_all, select_all},
};
use multiprocess as mp;

use super::support::{WATCHDOG, increment, watchdog};

/// An executor of a third party: a child of its own that knows targets by name, fed by one thread.
struct Remote {
    works: Mutex<Option<mpsc::Sender<mp::Work>>>,
    feeder: Option<thread::JoinHandle<()>>,
}

type Task = (mp::TargetName, Vec<u8>);
type Result = std::result::Result<Vec<u8>, mp::TaskError>;

/// What would be a program on another machine.
#[mp::process_target]
fn remote(tasks: mp::Connection<Result, Task>) -> mp::Result<()> {
    while let Ok((target, arguments)) = tasks.recv() {
        tasks.send(&mp::perform(&target, &arguments))?;
    }
    Ok(())
}

impl Remote {
    fn new() -> Self {
        let (sender, works) = mpsc::channel::<mp::Work>();
        let feed = move || {
            let (ours, theirs) = mp::pipe::<Task, Result>().unwrap();
            let child = mp::spawn(remote, (theirs,)).unwrap();
            for mut work in works {
                while !work.is_empty() && !work.is_cancelled() {
                    let arguments = match work.arguments() {
                        Ok(arguments) => arguments.to_vec(),
                        Err(error) => {
                            work.settle(Err(mp::TaskError::Refused(work.facts(), error)));
                            continue;
                        }
                    };
                    ours.send(&(work.target().clone(), arguments)).unwrap();
                    let result = ours.recv().unwrap_or_else(|_| Err(mp::TaskError::Lost(work.facts())));
                    work.settle(result);
                }
            }
            drop(ours);
            child.join().unwrap().unwrap();
        };
        Self { works: Mutex::new(Some(sender)), feeder: Some(thread::spawn(feed)) }
    }
}

impl mp::Executor for Remote {
    type State = ();

    fn execute(&self, work: mp::Work) -> std::result::Result<(), mp::Rejected> {
        let works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        works.as_ref().unwrap().send(work).unwrap();
        Ok(())
    }

    fn width(&self) -> usize {
        1
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.works.get_mut().unwrap().take());
        self.feeder.take().unwrap().join().unwrap();
    }
}

fn pool() -> mp::Pool {
    mp::Pool::builder().workers(2).build().unwrap()
}

fn threads() -> mp::ThreadPool {
    mp::ThreadPool::new(2).unwrap()
}

/// What every executor has to do.
macro_rules! suite {
    ($($test:ident)*) => {
        suite! { processes: super::pool(); $($test)* }
        suite! { of_threads: super::threads(); $($test)* }
        suite! { inline: multiprocess::Inline::new(); $($test)* }
        suite! { of_a_third_party: super::Remote::new(); $($test)* }
    };
    ($executor:ident: $new:expr; $($test:ident)*) => {
        mod $executor {
            $(#[test]
            fn $test() {
                let _watchdog = super::watchdog();
                super::$test(&$new);
            })*
        }
    };
}

suite! {
    results_come_in_order
    each_failure_is_that_of_one_task
    a_task_says_what_became_of_it
    endless_inputs_are_taken_as_results_are
    large_values_arrive
    joiners_cut_short
    an_iterator_may_change_threads
    many_threads_share_it
    tasks_are_awaited
    callbacks_are_called
    who_waits_for_any_is_woken
    tasks_come_as_they_get_ready
    what_is_not_waited_for_is_settled
    state_is_none
}

trait Executor: mp::Executor<State = ()> {}

impl<E: mp::Executor<State = ()>> Executor for E {}

fn on<E: Executor>(executor: &E) -> mp::Tasks<'_, E> {
    mp::Tasks::on(executor)
}

#[mp::process_target]
fn subtract(x: i64, y: i64) -> i64 {
    x - y
}

#[mp::process_target]
fn nothing() {}

fn results_come_in_order(executor: &impl Executor) {
    let tasks = on(executor);
    assert_eq!(tasks.call(subtract, (5, 7)).unwrap(), -2);
    assert_eq!(tasks.submit(increment, (1,)).unwrap().join().unwrap(), 2);
    assert_eq!(tasks.try_submit(increment, (2,)).unwrap().join().unwrap(), 3);
    assert_eq!(tasks.map(increment, 0..1000).unwrap(), (1..1001).collect::<Vec<_>>());
    assert_eq!(tasks.starmap(subtract, [(1, 2), (4, 3)]).unwrap(), [-1, 1]);
    assert!(tasks.map(increment, 0..0).unwrap().is_empty());
    let unordered: HashSet<_> = tasks.imap_unordered(increment, 0..1000).map(std::result::Result::unwrap).collect();
    assert_eq!(unordered, (1..1001).collect());
    assert!(tasks.istarmap(subtract, (0..5).map(|x| (x, x))).all(|result| result.unwrap() == 0));
    tasks.call(nothing, ()).unwrap();
}

/// In serde's way it cannot be written when it is odd.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Even(u64);

impl serde::Serialize for Even {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        if self.0 % 2 == 1 {
            return Err(serde::ser::Error::custom(format!("{} is odd", self.0)));
        }
        serializer.serialize_newtype_struct("Even", &self.0)
    }
}

#[mp::process_target]
fn not_three(x: u64) -> u64 {
    assert_ne!(x, 3, "three is no good");
    x
}

#[mp::process_target]
fn evens(x: u64) -> Even {
    Even(x)
}

#[mp::process_target]
fn takes_evens(x: Even) -> u64 {
    x.0
}

#[mp::process_target]
fn exits(code: u8) -> ExitCode {
    ExitCode::from(code)
}

fn each_failure_is_that_of_one_task(executor: &impl Executor) {
    let tasks = on(executor);
    for (index, result) in tasks.imap(not_three, 0..10).enumerate() {
        match result {
            Ok(value) => assert_eq!(value, index as u64),
            Err(mp::TaskError::Panicked(facts, panic)) => {
                assert_eq!((facts.index(), index), (3, 3));
                assert!(facts.target().ends_with("not_three"), "{facts}");
                assert!(panic.message().contains("three is no good"), "{panic}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    let error = tasks.map(not_three, 0..10).unwrap_err();
    assert_eq!((error.facts().index(), error.facts().attempt()), (3, 1));
    let results: Vec<_> = tasks.imap(evens, 0..4).collect();
    assert_eq!(results[2].as_ref().unwrap(), &Even(2));
    match &results[3] {
        Err(mp::TaskError::Undecodable(facts, error)) => {
            assert_eq!(facts.index(), 3);
            assert!(error.to_string().contains("3 is odd"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let results: Vec<_> = tasks.imap(takes_evens, (0..4).map(Even)).collect();
    assert!(matches!(&results[1], Err(mp::TaskError::Unencodable(facts, _)) if facts.index() == 1), "{results:?}");
    assert_eq!(results[2].as_ref().unwrap(), &2);
    assert!(tasks.submit(takes_evens, (Even(1),)).unwrap_err().is_encode());
    let results: Vec<_> = tasks.imap(exits, [0, 7, 0]).collect();
    assert!(results[0].is_ok() && results[2].is_ok());
    match &results[1] {
        Err(mp::TaskError::Exited(facts)) => assert_eq!((facts.exit_code(), facts.index()), (Some(7), 1)),
        other => panic!("{other:?}"),
    }
}

fn a_task_says_what_became_of_it(executor: &impl Executor) {
    let tasks = on(executor);
    let task = tasks.submit(not_three, (3,)).unwrap();
    assert!(task.wait_timeout(WATCHDOG));
    for _ in 0..3 {
        assert_eq!(task.join().unwrap_err().to_string(), task.try_join().unwrap().unwrap_err().to_string());
    }
    assert!(!task.cancel());
    let task = tasks.submit(not_three, (4,)).unwrap();
    assert_eq!([task.join().unwrap(), task.join_timeout(Duration::ZERO).unwrap().unwrap()], [4, 4]);
}

fn endless_inputs_are_taken_as_results_are(executor: &impl Executor) {
    let tasks = on(executor);
    for _ in 0..3 {
        let sum: u64 = tasks.imap(increment, 0..).map(std::result::Result::unwrap).take(100).sum();
        assert_eq!(sum, 5050);
    }
    assert_eq!(tasks.imap_unordered(increment, 0..).take(100).filter(std::result::Result::is_ok).count(), 100);
}

#[mp::process_target]
fn twice(text: String) -> (String, Vec<u64>) {
    (text.clone() + &text, vec![text.len() as u64; text.len() / 8])
}

fn large_values_arrive(executor: &impl Executor) {
    let tasks = on(executor);
    for size in [10, 10_000, 100_000, 3_000_000] {
        let text = "x".repeat(size);
        let (doubled, numbers) = tasks.call(twice, (text.clone(),)).unwrap();
        assert_eq!((doubled.len(), numbers.len()), (2 * size, size / 8));
        let results = tasks.map(twice, [text.clone(), "y".to_owned(), text]).unwrap();
        assert_eq!(results.iter().map(|(doubled, _)| doubled.len()).collect::<Vec<_>>(), [2 * size, 2, 2 * size]);
        assert!(results[2].1.iter().all(|number| *number == size as u64));
    }
}

fn joiners_cut_short(executor: &impl Executor) {
    let tasks = on(executor);
    assert_eq!(tasks.imap(not_three, 0..).fail_fast().unwrap_err().facts().index(), 3);
    assert_eq!(tasks.imap(not_three, [3, 3, 5, 6]).first_success().unwrap(), Some(5));
    assert_eq!(tasks.imap(not_three, [3, 3]).max_failures(2).unwrap().1.len(), 2);
    assert!(tasks.imap(not_three, [3, 3]).max_failures(1).is_err());
    assert_eq!(tasks.map(increment, 0..3).unwrap(), [1, 2, 3]);
}

/// Whoever waits is to be woken, not who waited first.
fn an_iterator_may_change_threads(executor: &impl Executor) {
    let mut results = on(executor).imap(increment, 0..300_u64);
    let mut seen = 0;
    while let Some(result) = thread::scope(|scope| {
        let next = || results.next();
        scope.spawn(next).join().unwrap()
    }) {
        seen += 1;
        assert_eq!(result.unwrap(), seen);
    }
    assert_eq!(seen, 300);
}

fn many_threads_share_it(executor: &impl Executor) {
    thread::scope(|scope| {
        for first in [0, 1000, 2000, 3000] {
            scope.spawn(move || {
                assert_eq!(on(executor).map(increment, first..first + 200).unwrap(), {
                    (first + 1..first + 201).collect::<Vec<_>>()
                });
                for x in first..first + 50 {
                    assert_eq!(on(executor).call(increment, (x,)).unwrap(), x + 1);
                }
            });
        }
    });
}

/// Polls a future whenever it was woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Parked(thread::Thread);
    impl std::task::Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Parked(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

fn tasks_are_awaited(executor: &impl Executor) {
    let submit = |x| on(executor).submit(not_three, (x,)).unwrap();
    for _ in 0..20 {
        let results = block_on(join_all((0..10).map(submit)));
        assert_eq!(results.iter().flatten().sum::<u64>(), 45 - 3);
        assert!(results[3].as_ref().unwrap_err().panic().is_some());
        let (first, index, others) = block_on(select_all((10..20).map(submit)));
        assert_eq!(first.unwrap(), 10 + index as u64);
        assert_eq!(block_on(join_all(others)).len(), 9);
    }
    let task = submit(5);
    task.join().unwrap();
    assert_eq!(task.now_or_never().unwrap().unwrap(), 5);
}

fn callbacks_are_called(executor: &impl Executor) {
    let (sender, called) = mpsc::channel();
    for x in 0..20 {
        let (task, sender) = (on(executor).submit(not_three, (x,)).unwrap(), sender.clone());
        task.on_done(|_| panic!("a callback of a test panics"));
        task.on_done(move |task| {
            assert!(task.is_ready());
            sender.send((x, task.join().is_ok())).unwrap();
        });
        if x % 2 == 0 {
            task.join().ok();
            let again = called.recv_timeout(WATCHDOG).unwrap();
            task.on_done(|task| assert!(task.is_ready()));
            assert_eq!(again.1, again.0 != 3);
        }
    }
    drop(sender);
    assert_eq!(called.into_iter().count(), 10);
}

/// Many short ones: each may get ready before, while and after somebody begins to wait.
fn who_waits_for_any_is_woken(executor: &impl Executor) {
    let tasks = on(executor);
    for round in 0..100 {
        let mut left: Vec<_> = (0..8).map(|x| (x, tasks.submit(increment, (x,)).unwrap())).collect();
        if round % 3 == 0 {
            assert!(mp::wait_all(&left.iter().map(|(_, task)| task).collect::<Vec<_>>(), None));
        }
        while !left.is_empty() {
            let timeout = (round % 2 == 0).then_some(WATCHDOG);
            let any = mp::wait_any(&left.iter().map(|(_, task)| task).collect::<Vec<_>>(), timeout).unwrap();
            let (x, task) = left.swap_remove(any);
            assert_eq!(task.try_join().unwrap().unwrap(), x + 1);
        }
    }
    assert_eq!(mp::wait_any::<u64>(&[], None), None);
    assert!(mp::wait_all::<u64>(&[], None));
}

fn tasks_come_as_they_get_ready(executor: &impl Executor) {
    let tasks = on(executor);
    for round in 0..50 {
        let submitted = (0..20).map(|x| tasks.submit(increment, (x,)).unwrap());
        let mut ready = mp::as_completed(submitted);
        assert_eq!(ready.len(), 20);
        let mut seen: Vec<_> = ready.by_ref().take(round % 10).map(|task| task.try_join().unwrap().unwrap()).collect();
        // In another thread from here on.
        seen.extend(thread::scope(|scope| {
            let rest = scope.spawn(|| ready.map(|task| task.try_join().unwrap().unwrap()).collect::<Vec<_>>());
            rest.join().unwrap()
        }));
        seen.sort_unstable();
        assert_eq!(seen, (1..21).collect::<Vec<_>>());
    }
}

fn what_is_not_waited_for_is_settled(executor: &impl Executor) {
    let tasks = on(executor);
    for _ in 0..20 {
        let mut results = tasks.imap(increment, 0..1_000_000);
        assert_eq!(results.next().unwrap().unwrap(), 1);
        drop(results);
        let dropped = mp::as_completed((0..5).map(|x| tasks.submit(increment, (x,)).unwrap()));
        drop(dropped);
        drop(tasks.submit(increment, (1,)).unwrap());
    }
    assert_eq!(tasks.call(increment, (1,)).unwrap(), 2);
}

#[mp::process_target]
fn with_state(state: &mut String) -> usize {
    state.len()
}

fn state_is_none(executor: &impl Executor) {
    // It does not compile: `on(executor).call(with_state, ())`. What came by name is refused.
    assert!(executor.width() >= 1);
    let name = mp::TargetName::of_stateful::<String, _>(with_state);
    assert!(matches!(mp::perform(&name, &[]), Err(mp::TaskError::Refused(..))));
    assert_eq!(mp::perform_with(&name, &[], &mut "four".to_owned()).unwrap(), [4]);
}
