//! A worker dies at each step of a task: the task is lost with it until its result is there, and from then on it counts.

use multiprocess as mp;

use crate::support::{increment, watchdog};

#[mp::process_target]
fn large(x: u64) -> Vec<u8> {
    vec![x as u8; 1 << 20]
}

fn dying_at(step: &str) -> mp::Result<mp::Pool> {
    mp::Pool::builder().workers(2).env("MULTIPROCESS_FAULT", step).build()
}

#[test]
fn a_task_whose_worker_dies_before_it_answers_is_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    for step in ["task-begun", "task-decoded", "task-returned"] {
        let pool = dying_at(step)?;
        for (index, result) in pool.imap(increment, 0..20).enumerate() {
            match result {
                Err(mp::TaskError::Killed(facts)) => {
                    assert_eq!((facts.index(), facts.attempt()), (index as u64, 1), "{step}");
                    assert_eq!(facts.exit_status().and_then(mp::ExitStatus::signal), Some(9));
                }
                other => panic!("{step}: {other:?}"),
            }
        }
        assert!(pool.restarts() >= 18, "{step}: {}", pool.restarts());
    }
    Ok(())
}

#[test]
fn a_task_that_is_answered_counts_even_if_its_worker_dies_then() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = dying_at("task-answered")?;
    assert_eq!(pool.map(increment, 0..20)?, (1..21).collect::<Vec<_>>());
    assert_eq!(pool.imap(large, 0..6).collect::<Result<Vec<_>, _>>()?.len(), 6);
    assert!(pool.restarts() >= 20, "{}", pool.restarts());
    Ok(())
}

#[test]
fn a_large_result_that_was_not_sent_is_lost_with_its_worker() -> mp::Result<()> {
    let _watchdog = watchdog();
    let pool = dying_at("task-sends")?;
    assert!(pool.imap(large, 0..6).all(|result| matches!(result, Err(mp::TaskError::Killed(_)))));
    assert_eq!(pool.call(increment, (1,))?, 2, "small ones do not come there");
    Ok(())
}

#[test]
fn a_worker_that_dies_before_it_is_ready_fails_the_pool() {
    let _watchdog = watchdog();
    let error = dying_at("worker-start").unwrap_err().to_string();
    assert!(error.contains("has given up") && error.contains("SIGKILL"), "{error}");
}
