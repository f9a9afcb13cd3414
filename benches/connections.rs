//! What messages cost on a connection, next to a bare socket: `cargo bench --bench connections`.
//!
//! One way: messages to a child that answers after the last of them; the time is that of one of them. Round trip: one
//! like it comes back. The bare SEQPACKET socket moves as many bytes as the value takes in memory, in packets of up to
//! 64 KiB, and nobody makes a value of them. What a copy costs within one process (`clone`) stands beside it.
//!
//! The scheduler puts the two sides where it likes, so nothing else should run. The peers, and round trips on one core,
//! are in `vs/`.

#[path = "vs/src/connections/bare.rs"]
mod bare;
#[path = "connections/descriptor.rs"]
mod descriptor;
#[path = "vs/src/connections/message.rs"]
mod message;
#[path = "vs/src/rounds.rs"]
mod rounds;
#[path = "vs/src/connections/work.rs"]
mod work;

use std::{convert::Infallible, env, hint::black_box, process::ExitCode, time::Duration};

use multiprocess as mp;
use serde::{Serialize, de::DeserializeOwned};

use bare::{Lengths, Receive};
use message::{Message, READING, Reading};
use rounds::{Contestant, take_turns};
use work::{Peer, Served, Work, serve};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 15;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

impl Message for String {
    fn weight(&self) -> u64 {
        self.len() as u64
    }
}

impl Message for Vec<Reading> {
    fn weight(&self) -> u64 {
        self.iter().map(Message::weight).sum()
    }
}

/// For each kind of message: how many bytes it has, how it is made, and the targets that take it and send it back.
macro_rules! kinds {
    ($($name:ident: $type:ty, $length:expr, $make:expr;)*) => {
        $(mod $name {
            use super::*;

            #[mp::process_target]
            fn take(connection: mp::Connection<u64, $type>, batch: u32) -> Served {
                serve(batch, || received(&connection), |weight| sent(&connection, &weight))
            }

            #[mp::process_target]
            fn send_back(connection: mp::Connection<$type, $type>) -> Served {
                let value = $make;
                serve(1, || received(&connection), |_| sent(&connection, &value))
            }

            pub(super) fn compare() -> Result<(), Failure> {
                super::compare(stringify!($name), $length, $make, take, send_back)
            }
        })*

        fn compare_all() -> Result<(), Failure> {
            $($name::compare()?;)*
            Ok(())
        }
    };
}

kinds! {
    number: u64, 8, 1 << 40 | 41;
    record: Reading, size_of::<Reading>(), READING;
    text_1k: String, KIB, "x".repeat(KIB);
    bytes_1k: Vec<u8>, KIB, vec![1; KIB];
    bytes_32k: Vec<u8>, 32 * KIB, vec![1; 32 * KIB];
    records_1000: Vec<Reading>, 1000 * size_of::<Reading>(), vec![READING; 1000];
    bytes_64k: Vec<u8>, 64 * KIB, vec![1; 64 * KIB];
    bytes_1m: Vec<u8>, MIB, vec![1; MIB];
    bytes_64m: Vec<u8>, 64 * MIB, vec![1; 64 * MIB];
}

fn main() -> ExitCode {
    // Without it, it is a test runner that asks for tests: there are none.
    if !env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("µs for one message, medians of {ROUNDS}; next to the bare socket's");
    println!("{:<14} {:>10} {:>29} {:>29}", "", "", "one way", "round trip");
    let side = format!("{:>10} {:>10} {:>7}", "bare", "ours", "/ bare");
    println!("{:<14} {:>10} {side} {side}", "", "copy");
    match compare_all().and_then(|()| descriptor::compare()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("connections: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare<M, T, B>(name: &str, length: usize, value: M, take: T, send_back: B) -> Result<(), Failure>
where
    M: Message + Clone + Serialize + DeserializeOwned,
    T: mp::Target<Args = (mp::Connection<u64, M>, u32), Output = Served>,
    B: mp::Target<Args = (mp::Connection<M, M>,), Output = Served>,
{
    // About as much to do for every kind.
    let count = (64 * MIB / length).clamp(4, 20_000) as u32;
    let there = Work { batches: 1, batch: count };
    let around = Work { batches: count.div_ceil(4), batch: 1 };

    let bare_there = bare::start(Receive::Plain, Lengths { message: length, answer: 8 }, there.batch)?;
    let bare_around = bare::start(Receive::Plain, Lengths { message: length, answer: length }, around.batch)?;
    let (one, other) = mp::pipe()?;
    let ours_there = Peer::new(one, mp::spawn(take, (other, there.batch))?);
    let (one, other) = mp::pipe::<M, M>()?;
    let ours_around = Peer::new(one, mp::spawn(send_back, (other,))?);

    let weight = value.weight();
    let copy = || {
        drop(black_box(black_box(&value).clone()));
        Ok::<_, Infallible>(())
    };
    row(
        name,
        [there, around],
        [
            &mut || there.time(0, copy, || Ok::<_, Infallible>(0)),
            &mut || there.time(8, || bare_there.send(), || bare_there.answer()),
            &mut || there.time(weight * u64::from(there.batch), || ours_there.send(&value), || ours_there.recv()),
            &mut || around.time(length as u64, || bare_around.send(), || bare_around.answer()),
            &mut || around.time(weight, || ours_around.send(&value), || ours_around.recv().map(|back| back.weight())),
        ],
    )?;
    bare_there.end()?;
    bare_around.end()?;
    ours_there.end()?;
    ours_around.end()
}

fn received<S, M: Message + DeserializeOwned>(connection: &mp::Connection<S, M>) -> Result<Option<u64>, String> {
    match connection.recv() {
        Ok(message) => Ok(Some(message.weight())),
        Err(mp::RecvError::Disconnected) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn sent<M: Serialize, R>(connection: &mp::Connection<M, R>, value: &M) -> Result<(), String> {
    connection.send(value).map_err(|error| error.to_string())
}

/// Lets a copy, both one way and both around take turns, and prints what one message costs them.
fn row(name: &str, [there, around]: [Work; 2], contestants: [Contestant<'_>; 5]) -> Result<(), Failure> {
    let [copy, bare_there, ours_there, bare_around, ours_around] = take_turns(ROUNDS, contestants)?;
    let micros = |time: Duration, work: Work| time.as_secs_f64() * 1e6 / f64::from(work.messages());
    let pair = |bare, ours, work| {
        let (bare, ours) = (micros(bare, work), micros(ours, work));
        format!("{bare:>10.2} {ours:>10.2} {:>7.2}", ours / bare)
    };
    let (one_way, round_trip) = (pair(bare_there, ours_there, there), pair(bare_around, ours_around, around));
    println!("{name:<14} {:>10.2} {one_way} {round_trip}", micros(copy, there));
    Ok(())
}
