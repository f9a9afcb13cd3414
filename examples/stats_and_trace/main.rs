//! What a pool shows of itself: a table of its workers, and a trace for Perfetto (ui.perfetto.dev).
//!
//! ```sh
//! cargo run --release --example stats_and_trace [trace.json]
//! ```

use std::{env, path::PathBuf};

use multiprocess as mp;

/// Work that takes longer for some numbers than for others.
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
    (1..below).map(|n| (n, steps(n))).max_by_key(|(_, steps)| *steps).unwrap_or_default()
}

fn main() -> mp::Result<()> {
    let path = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("multiprocess-trace.json"), PathBuf::from);
    let pool = mp::Pool::builder().workers(2).trace_to(&path).build()?;
    let longest = pool.map(longest_collatz, (1..60).map(|n| n * n * 100))?;
    println!("{:?}", longest.iter().max_by_key(|(_, steps)| *steps));
    println!("{}", pool.stats());
    pool.shutdown(false)?; // the trace is complete once the pool has ended
    println!("the trace is in {}", path.display());
    Ok(())
}
