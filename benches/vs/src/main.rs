//! How fast `multiprocess` is, next to the physical limit and its peers.
//!
//! ```text
//! cargo run --release --manifest-path benches/vs/Cargo.toml [-- [start | servers | connections | slices | locks | queues | pools] [--rounds 200]]
//! RUSTFLAGS="-C target-feature=+crt-static" \
//!     cargo run --release --manifest-path benches/vs/Cargo.toml --target x86_64-unknown-linux-gnu
//! ```
//!
//! The second one is the same for a static build, which needs no dynamic linker at every start. There are seven
//! groups, and all run unless one is named:
//!
//! - `start`: a child is started, gets a value, gives one back and is joined. The limit is std's `Command` that runs
//!   this very program again, with a `u64` in and out through two pipes, and leaves at the top of `main`.
//! - `servers`: the same by a fork server, with children that wait, and as many starts as there can be in a second. The limit is a bare server that passes
//!   a `u64` to copies of itself, and a thread.
//! - `connections`: messages between this process and children that stay. The limit is a bare SEQPACKET socket; of
//!   64 MiB, a copy within one process.
//! - `slices`: 64 MiB of shared memory, written here, sent, and read by a child. The limit is to write and read them in one
//!   process.
//! - `locks`: locks, values and waking each other. The limits are the C library's robust mutex and a bare futex.
//! - `queues`: items from some processes to others. The limits are a bare ring in shared memory and a bare futex; of 64 MiB,
//!   a channel.
//! - `pools`: tasks for two workers that stay. The limit of one task and its result is a bare SEQPACKET socket; of many, rayon,
//!   whose workers are threads. The lines of pebble want it where `python3` finds packages, as in the venv of
//!   `benches/sigkill/table.py`.
//!
//! What is compared is measured in one run, turn by turn in shuffled order; the tables show medians and their
//! ratios, the last lines which of the targets are reached. Large values have fewer turns than `--rounds` says: the
//! head of each table tells. Without a `python3` its lines are left out.

mod connections;
mod cpython;
mod limit;
mod locks;
mod pinned;
mod pools;
mod python;
mod queues;
mod report;
mod rounds;
mod servers;
mod slices;
mod start;

use std::{env, process::ExitCode};

use report::Report;

type Failure = Box<dyn std::error::Error>;

const MIB: usize = 1 << 20;
const LARGE: usize = 64 * MIB;

fn main() -> ExitCode {
    if limit::is_child() {
        return limit::child();
    }
    if servers::bare::is_server() {
        return servers::bare::serve();
    }
    // Its own children stay in here for ever.
    procspawn::init();
    // A program that starts itself must know when it is not the first.
    if let Some(mark) =
        ["MULTIPROCESS_CHILD", "__PROCSPAWN_CONTENT_PROCESS_ID"].iter().find(|mark| env::var_os(mark).is_some())
    {
        eprintln!("vs: {mark} is set, so this is a child, and nothing took it before it came here");
        return ExitCode::FAILURE;
    }
    match Options::read(env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vs: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let mut report = Report::new();
    if options.start {
        start::compare(options.rounds, &mut report)?;
    }
    if options.servers {
        servers::compare(options.rounds, &mut report)?;
    }
    if options.connections {
        connections::compare(options.rounds, &mut report)?;
    }
    if options.slices {
        slices::compare(options.rounds.div_ceil(8), &mut report)?;
    }
    if options.locks {
        locks::compare(options.rounds, &mut report)?;
    }
    if options.queues {
        queues::compare(options.rounds, &mut report)?;
    }
    if options.pools {
        pools::compare(options.rounds, &mut report)?;
    }
    report.print_verdicts();
    Ok(())
}

struct Options {
    start: bool,
    servers: bool,
    connections: bool,
    slices: bool,
    locks: bool,
    queues: bool,
    pools: bool,
    rounds: usize,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            start: false,
            servers: false,
            connections: false,
            slices: false,
            locks: false,
            queues: false,
            pools: false,
            rounds: 200,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "start" => options.start = true,
                "servers" => options.servers = true,
                "connections" => options.connections = true,
                "slices" => options.slices = true,
                "locks" => options.locks = true,
                "queues" => options.queues = true,
                "pools" => options.pools = true,
                "--rounds" => {
                    let number = arguments.next().unwrap_or_default();
                    options.rounds = match number.parse() {
                        Ok(0) | Err(_) => return Err(format!("'{number}' is no number of rounds").into()),
                        Ok(rounds) => rounds,
                    };
                }
                _ => {
                    return Err(
                        "usage: vs [start | servers | connections | slices | locks | queues | pools] [--rounds N]"
                            .into(),
                    );
                }
            }
        }
        let groups = [
            &mut options.start,
            &mut options.servers,
            &mut options.connections,
            &mut options.slices,
            &mut options.locks,
            &mut options.queues,
            &mut options.pools,
        ];
        if groups.iter().all(|group| !**group) {
            groups.into_iter().for_each(|group| *group = true);
        }
        Ok(options)
    }
}
