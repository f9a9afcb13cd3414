//! Start and join of `fn(u64) -> u64`, next to the limit: `cargo bench --bench start`.
//!
//! The limit is std's `Command` that runs this very program again, with a `u64` in and out through two pipes and an
//! early exit. The peers are in `vs/`.

#[path = "vs/src/limit.rs"]
mod limit;
#[path = "vs/src/rounds.rs"]
mod rounds;

use std::{env, process::ExitCode, time::Instant};

use multiprocess as mp;

use rounds::take_turns;

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 200;

#[mp::process_target]
fn next(x: u64) -> u64 {
    x + 1
}

fn main() -> ExitCode {
    if limit::is_child() {
        return limit::child();
    }
    // Without it, it is a test runner that asks for tests: there are none.
    if !env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("start: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), Failure> {
    let [limit, ours] = take_turns(
        ROUNDS,
        [
            &mut || {
                let start = Instant::now();
                limit::start_and_join(41)?;
                Ok(start.elapsed())
            },
            &mut || {
                let start = Instant::now();
                mp::spawn(next, (41,))?.join()?;
                Ok(start.elapsed())
            },
        ],
    )?;
    println!("start + join of fn(u64) -> u64, medians of {ROUNDS}");
    println!("  limit         {:>8.3} ms", limit.as_secs_f64() * 1e3);
    println!("  multiprocess  {:>8.3} ms, {:.2} of the limit", ours.as_secs_f64() * 1e3, ours.div_duration_f64(limit));
    Ok(())
}
