//! Counts the words of real files with as many processes as there are processors, and says what that gained.
//!
//! `cargo run --release --example wordcount -- [-j N] [PATHS]`
//!
//! Without paths it takes the text below the current directory and some that most Linux machines have. The words
//! are counted twice, by a plain call in this process and by N children; both must come to the same. Python's
//! twin: `Pool(n).imap_unordered(count, shares)`.

mod corpus;
mod count;
mod parallel;

use std::{
    env,
    error::Error,
    io::{self, BufWriter, ErrorKind, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

use multiprocess as mp;

fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS; // `wordcount | head -1`: the reader has seen enough
    }
    writeln!(io::stderr(), "wordcount: {error}").ok();
    ExitCode::FAILURE
}

fn run() -> Result<(), Box<dyn Error>> {
    let (jobs, paths) = arguments()?;
    let corpus = corpus::find(&paths)?;
    let megabytes = corpus.bytes() as f64 / 1e6;
    writeln!(io::stderr(), "{corpus}").ok();
    corpus.read_once(); // so that neither way waits for the disk

    let start = Instant::now();
    let alone = count::count(corpus.files()); // a target is still a function
    let one = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let shares = corpus.shares(jobs * parallel::SHARES_PER_PROCESS);
    let (counts, failures) = parallel::count_in_children(&shares, jobs);
    let many = start.elapsed().as_secs_f64();

    for failure in &failures {
        writeln!(io::stderr(), "wordcount: a share is missing: {failure}").ok();
    }
    if counts != alone {
        return Err(format!("this process counted {alone}, the children {counts}").into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for (word, times) in counts.top(20) {
        writeln!(out, "{times:>9}  {word}")?;
    }
    writeln!(out, "{counts}")?;
    writeln!(out, "one process  {one:8.3} s {:7.1} MB/s", megabytes / one)?;
    writeln!(out, "{jobs:>3} at a time{many:8.3} s {:7.1} MB/s", megabytes / many)?;
    writeln!(out, "speed-up     {:8.3}", one / many)?;
    Ok(out.flush()?)
}

/// How many processes at a time, and which paths.
fn arguments() -> Result<(usize, Vec<PathBuf>), Box<dyn Error>> {
    let (mut jobs, mut paths) = (mp::cpu_count(), Vec::new());
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "-j" {
            let number = arguments.next().unwrap_or_default();
            let parsed = number.to_str().and_then(|number| number.parse().ok()).filter(|n| (1..=256).contains(n));
            jobs = parsed.ok_or_else(|| format!("-j takes a number from 1 to 256, not {number:?}"))?;
        } else if argument.as_encoded_bytes().starts_with(b"-") {
            return Err(format!("no such option: {argument:?}; usage: wordcount [-j N] [PATHS]").into());
        } else {
            paths.push(argument.into());
        }
    }
    Ok((jobs, paths))
}
