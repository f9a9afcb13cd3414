//! Two processes and one connection: typed messages both ways, and what is left when one side dies.
//!
//! `cargo run --release --example ping_pong`
//!
//! Python's twin: `ours, theirs = Pipe()`, and after the start a `theirs.close()` that must not be forgotten: a parent
//! that keeps the child's end never gets the `EOFError` of a dead child.

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use mp::{Connection, RecvError};
use multiprocess as mp;
use serde::{Deserialize, Serialize};

const RALLY: u32 = 20_000;

/// What the parent says.
#[derive(Serialize, Deserialize)]
enum Call {
    Ping(u32),
    Score,
    Think,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Pong(u32),
    Score { pings: u32, by: String },
}

/// Answers until there is nobody left to answer. Its end is the other way round: it sends answers, receives calls.
#[mp::process_target]
fn play(parent: Connection<Answer, Call>) -> mp::Result<()> {
    let mut pings = 0;
    for call in &parent {
        match call? {
            Call::Ping(number) => {
                pings += 1;
                parent.send(&Answer::Pong(number))?;
            }
            Call::Score => parent.send(&Answer::Score { pings, by: mp::current_process().name() })?,
            Call::Think => thread::sleep(Duration::MAX),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (ours, theirs) = mp::pipe::<Call, Answer>()?;
    let player = mp::Process::new(play, (theirs,)).name("player").start()?; // `theirs` has gone there

    let start = Instant::now();
    for number in 0..RALLY {
        ours.send(&Call::Ping(number))?;
        match ours.recv()? {
            Answer::Pong(back) if back == number => {}
            other => return Err(format!("{other:?} is no answer to ping {number}").into()),
        }
    }
    println!("a round trip takes {:.2?}", start.elapsed() / RALLY);
    ours.send(&Call::Score)?;
    println!("the child says {:?}", ours.recv()?);

    ours.send(&Call::Think)?;
    println!("asked to think it says {:?}", ours.recv_timeout(Duration::from_millis(50)));
    player.kill()?;
    match ours.recv() {
        Err(end @ RecvError::Disconnected) => println!("killed, it ends the stream: {end}"),
        other => return Err(format!("a dead child says {other:?}").into()),
    }
    println!("and a ping: {:?}", ours.send(&Call::Ping(0)));
    println!("join tells why: {:?}", player.join().err());
    Ok(())
}
