//! What a pool shows of itself: a table of its workers, and a trace for Perfetto (ui.perfetto.dev) or as a picture.
//!
//! ```sh
//! cargo run --release --example stats_and_trace -- [--svg trace.svg] [trace.json]
//! ```

mod svg;

use std::{env, error::Error, fs, path::PathBuf};

use multiprocess as mp;

/// Work that takes longer for some numbers than for others, and is too much for its worker once.
#[mp::process_target]
fn longest_collatz(below: u64) -> (u64, u32) {
    let steps = |mut n: u64| {
        let mut steps = 0;
        while n > 1 {
            n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        steps
    };
    let longest = (1..below).map(|n| (n, steps(n))).max_by_key(|(_, steps)| *steps).unwrap_or_default();
    if below == 40_000 {
        std::process::abort(); // what a native library may do
    }
    longest
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut json, mut svg) = (env::temp_dir().join("multiprocess-trace.json"), None);
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--svg") => svg = Some(PathBuf::from(arguments.next().ok_or("--svg needs the name of a file")?)),
            _ => json = argument.into(),
        }
    }
    let pool = mp::Pool::builder().workers(2).trace_to(&json).build()?;
    let results: Vec<_> = pool.imap(longest_collatz, (1..60).map(|n| n * n * 100)).collect();
    println!("{:?}", results.iter().flatten().max_by_key(|(_, steps)| *steps));
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        println!("{error}");
    }
    println!("{}", pool.stats());
    pool.shutdown(false)?; // the trace is complete once the pool has ended
    println!("the trace is in {}", json.display());
    if let Some(svg) = svg {
        fs::write(&svg, svg::picture(&fs::read_to_string(&json)?)?)?;
        println!("a picture of it is in {}", svg.display());
    }
    Ok(())
}
