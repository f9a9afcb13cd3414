//! SIGKILL at every step between exec and exit, and at any moment: the parent always hears of it, and
//! nothing is left behind.

use multiprocess::{self as mp, __private::Step};

use super::support::{Owned, owned, watchdog};

#[mp::process_target]
fn work(data: Vec<u8>) -> Vec<u8> {
    data
}

fn killed_at(step: Step) -> Result<Vec<u8>, mp::JoinError> {
    let data = vec![1; 100_000]; // so that there is a memfd to lose as well
    mp::Process::new(work, (data,)).env("MULTIPROCESS_FAULT", step.name()).start().unwrap().join()
}

#[mp::process_target]
fn dies_at_every_step() -> (Owned, Owned) {
    let check = |step| match (step, killed_at(step)) {
        // The result was on its way: it counts.
        (Step::Sent | Step::Exiting, result) => assert_eq!(result.unwrap().len(), 100_000),
        (_, result) => {
            let error = result.unwrap_err();
            assert!(matches!(error, mp::JoinError::Killed(_)), "{step:?}: {error}");
            assert_eq!(error.ended().signal(), Some(9));
        }
    };
    let steps = match mp::Context::of_program().start_method() {
        mp::StartMethod::Spawn => &Step::ALL[..],
        mp::StartMethod::ForkServer => Step::of_forked(),
    };
    steps.iter().copied().for_each(check);
    let before = owned();
    for _ in 0..10 {
        steps.iter().copied().for_each(check);
    }
    (before, owned())
}

#[test]
fn a_child_killed_at_any_step_is_an_error_and_leaves_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after) = mp::spawn(dies_at_every_step, ())?.join()?;
    assert_eq!(before, after);
    Ok(())
}

#[mp::process_target]
fn killed_at_random(rounds: u64) -> (Owned, Owned, [u32; 2]) {
    let one = |nanoseconds: u64| {
        let child = mp::spawn(work, (vec![1; 100_000],)).unwrap();
        let start = std::time::Instant::now();
        while u64::try_from(start.elapsed().as_nanos()).unwrap() < nanoseconds {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        match child.join() {
            Ok(data) => usize::from(data.len() == 100_000),
            Err(mp::JoinError::Killed(_)) => 0,
            Err(other) => panic!("{other}"),
        }
    };
    one(0);
    let before = owned();
    let mut seen = [0; 2];
    for round in 0..rounds {
        // Spread over the whole life of a child, which is under a millisecond.
        seen[one(round * 7919 % 1_500_000)] += 1;
    }
    (before, owned(), seen)
}

#[test]
fn a_child_killed_at_any_moment_is_an_error_or_a_whole_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after, [killed, returned]) = mp::spawn(killed_at_random, (600,))?.join()?;
    assert_eq!(before, after);
    assert!(killed > 0 && returned > 0, "both must have happened: {killed} and {returned}");
    Ok(())
}
