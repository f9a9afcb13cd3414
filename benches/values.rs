//! What it costs to hand values over, through start and join: `cargo bench --bench values`.
//!
//! Each value goes to a child as its argument and comes from a child as its result. Beside it stands what a copy of
//! it costs within one process (`clone`), which no transport between two processes can be expected to beat.

#[path = "vs/src/rounds.rs"]
mod rounds;

use std::{collections::HashMap, env, hint::black_box, process::ExitCode, time::Instant};

use multiprocess as mp;

use rounds::take_turns;

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 15;
const MIB: usize = 1 << 20;

/// A record of the kind that programs hold by the thousand.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Reading {
    sensor: String,
    at: u64,
    values: [f32; 4],
}

/// For each kind of value: how it is made, a target that takes it and one that returns it.
macro_rules! values {
    ($($name:ident: $type:ty, $bytes:expr, $make:expr;)*) => {
        $(mod $name {
            use super::*;

            pub(super) fn make() -> $type {
                $make
            }

            #[mp::process_target]
            pub(super) fn take(value: $type) -> usize {
                value.len()
            }

            #[mp::process_target]
            pub(super) fn give() -> $type {
                make()
            }

            pub(super) fn compare() -> Result<(), Failure> {
                let value = make();
                let [copy, make, there, back] = take_turns(ROUNDS, [
                    &mut || {
                        let start = Instant::now();
                        let copy = black_box(black_box(&value).clone());
                        let taken = start.elapsed();
                        drop(copy);
                        Ok(taken)
                    },
                    &mut || {
                        let start = Instant::now();
                        let made = black_box(self::make());
                        let taken = start.elapsed();
                        drop(made);
                        Ok(taken)
                    },
                    &mut || {
                        let argument = value.clone();
                        let start = Instant::now();
                        let length = mp::spawn(take, (argument,))?.join()?;
                        let taken = start.elapsed();
                        if length == value.len() { Ok(taken) } else { Err("it arrived with another length".into()) }
                    },
                    &mut || {
                        let start = Instant::now();
                        let result = mp::spawn(give, ())?.join()?;
                        let taken = start.elapsed();
                        if result.len() == value.len() { Ok(taken) } else { Err("it came back with another length".into()) }
                    },
                ])?;
                let back = back.saturating_sub(make);
                let [copy, there, back] = [copy, there, back].map(|time| time.as_secs_f64() * 1e3);
                let rate = |time: f64| ($bytes as f64 / MIB as f64) / (time / 1e3);
                println!(
                    "{:<12} {:>9.2} {:>9.2} {:>9.2} {:>9.0} {:>9.0} {:>9.0}",
                    stringify!($name), copy, there, back, rate(copy), rate(there), rate(back),
                );
                Ok(())
            }
        })*

        fn compare_all() -> Result<(), Failure> {
            $($name::compare()?;)*
            Ok(())
        }
    };
}

values! {
    bytes: Vec<u8>, 64 * MIB, vec![1; 64 * MIB];
    floats: Vec<f64>, 64 * MIB, vec![1.0; 8 * MIB];
    text: String, 64 * MIB, "x".repeat(64 * MIB);
    small_bytes: Vec<u8>, 32 << 10, vec![1; 32 << 10];
    strings: Vec<String>, 16 * MIB, (0..MIB).map(|number| format!("{number:016}")).collect();
    records: Vec<Reading>, (16 << 10) * size_of::<Reading>(), readings(16 << 10);
    map: HashMap<u32, u64>, (256 << 10) * 12, (0..256 << 10).map(|key| (key, u64::from(key) << 32)).collect();
}

fn readings(count: u64) -> Vec<Reading> {
    (0..count).map(|at| Reading { sensor: format!("sensor-{}", at % 100), at, values: [0.5; 4] }).collect()
}

fn main() -> ExitCode {
    // Without it, it is a test runner that asks for tests: there are none.
    if !env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("through start + join, medians of {ROUNDS}; a result's time is less the time of making it");
    println!("{:<12} {:>29} {:>29}", "", "ms", "MiB/s");
    let columns = ["copy", "argument", "result"];
    let [copy, argument, result] = columns;
    println!("{:<12} {copy:>9} {argument:>9} {result:>9} {copy:>9} {argument:>9} {result:>9}", "");
    match compare_all() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("values: {failure}");
            ExitCode::FAILURE
        }
    }
}
