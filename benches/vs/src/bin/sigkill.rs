//! One experiment with multiprocess: what `benches/sigkill/experiment.py` does with Python libraries.

use std::{
    collections::BTreeSet,
    env,
    fs::OpenOptions,
    io::{self, Write},
    process,
    thread::sleep,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::sys::signal::{Signal, raise};

type Failure = Box<dyn std::error::Error>;

// As in work.py.
const ITEMS: i64 = 40;
const VICTIM: i64 = 13;
const HALF: Duration = Duration::from_millis(10);

#[mp::process_target]
fn task(item: i64) -> Result<i64, String> {
    run(item).map_err(|error| error.to_string())
}

fn run(item: i64) -> Result<i64, Failure> {
    if item < 0 {
        sleep(HALF);
        return Ok(process::id().into());
    }
    let runs = env::var("SIGKILL_RUNS")?;
    OpenOptions::new().append(true).open(&runs)?.write_all(format!("{item}\n").as_bytes())?;
    sleep(HALF);
    if item == VICTIM && env::var("SIGKILL_WHEN")? == "task" {
        // Whoever runs the item again shall have a chance.
        let is_first = OpenOptions::new().write(true).create_new(true).open(runs + ".dead").is_ok();
        if is_first {
            raise(Signal::SIGKILL)?;
        }
    }
    sleep(HALF);
    Ok(item * item)
}

fn main() -> Result<(), Failure> {
    let call = env::args().nth(1).ok_or("usage: sigkill map|imap")?;
    let pool = mp::Pool::builder().workers(2).build()?;
    let mut workers = BTreeSet::new();
    while workers.len() < 2 {
        workers.extend(perform(&pool, &call, -16..0).0.iter().map(i64::to_string));
    }
    println!("workers {}", workers.into_iter().collect::<Vec<_>>().join(" "));
    io::stdin().read_line(&mut String::new())?;
    let start = Instant::now();
    let (results, errors) = perform(&pool, &call, 0..ITEMS);
    let ended = start.elapsed();
    if results.iter().any(|square| square.isqrt().pow(2) != *square) {
        return Err("the results are not right".into());
    }
    println!("results {}", results.len());
    for error in errors {
        println!("error {error} 1");
    }
    println!("ended {}", ended.as_secs_f64());
    let takes_work = perform(&pool, &call, 100..104).0.len() == 4;
    println!("after {}", if takes_work { "yes" } else { "no" });
    Ok(())
}

fn perform(pool: &mp::Pool, call: &str, items: std::ops::Range<i64>) -> (Vec<i64>, Vec<String>) {
    let single: Vec<Result<_, mp::TaskError>> = match call {
        "map" => pool.map(task, items).map_or_else(|error| vec![Err(error)], |all| all.into_iter().map(Ok).collect()),
        _ => pool.imap(task, items).collect(),
    };
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for result in single {
        match result {
            Ok(Ok(value)) => results.push(value),
            Ok(Err(why)) => errors.push(why.replace(' ', "-")),
            Err(mp::TaskError::Killed(_)) => errors.push("Killed".to_owned()),
            Err(mp::TaskError::Broken(..)) => errors.push("Broken".to_owned()),
            Err(other) => errors.push(other.to_string().replace(' ', "-")),
        }
    }
    (results, errors)
}
