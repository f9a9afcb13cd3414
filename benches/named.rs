//! What it costs to read, write, create and open shared memory by name: `cargo bench --bench named`.
//!
//! Beside reading and writing stand a copy between two private buffers (`memcpy`), which is the most that there can be, and
//! the same by way of relaxed atomics in the mapping, which needs no system call. Creating reserves the memory.

#[path = "vs/src/rounds.rs"]
mod rounds;

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use multiprocess as mp;

use rounds::take_turns;

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 15;
const SIZES: [usize; 5] = [64, 4 << 10, 64 << 10, 1 << 20, 64 << 20];

/// So often that it can be measured; returns the time of one.
fn timed(bytes: usize, mut once: impl FnMut() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let times = ((16 << 20) / bytes).clamp(1, 20_000) as u32;
    let start = Instant::now();
    for _ in 0..times {
        once()?;
    }
    Ok(start.elapsed() / times)
}

fn copies(size: usize) -> Result<(), Failure> {
    let memory = mp::SharedMemory::new(size)?;
    let (source, mut target, mut other) = (vec![1_u8; size], vec![2_u8; size], vec![3_u64; size / 8]);
    let [copied, read, wrote, loaded] = take_turns(
        ROUNDS,
        [
            &mut || {
                timed(size, || {
                    target.copy_from_slice(black_box(&source));
                    black_box(&mut target);
                    Ok(())
                })
            },
            &mut {
                let mut target = vec![2_u8; size];
                let memory = &memory;
                move || timed(size, || Ok(memory.read(0, &mut target)?))
            },
            &mut || timed(size, || Ok(memory.write(0, &source)?)),
            &mut || {
                let words = memory.as_atomic::<AtomicU64>()?;
                timed(size, || {
                    other.iter_mut().zip(words).for_each(|(value, word)| *value = word.load(Relaxed));
                    black_box(&mut other);
                    Ok(())
                })
            },
        ],
    )?;
    let ratio = |time: Duration| copied.as_secs_f64() / time.as_secs_f64();
    println!(
        "{size:>9} {:>12.3?} {:>12.3?} {:>12.3?} {:>12.3?} {:>8.2} {:>8.2} {:>8.2}",
        copied,
        read,
        wrote,
        loaded,
        ratio(read),
        ratio(wrote),
        ratio(loaded)
    );
    Ok(())
}

/// Drops it, for all that the compiler knows after it was looked at.
fn done<T>(value: T) -> Result<(), Failure> {
    drop(black_box(value));
    Ok(())
}

fn names() -> Result<(), Failure> {
    let there = mp::SharedMemory::new(4096)?;
    let [created, opened] = take_turns(
        ROUNDS,
        [&mut || timed(4096, || done(mp::SharedMemory::new(4096)?)), &mut || {
            timed(4096, || done(mp::SharedMemory::open(there.name())?))
        }],
    )?;
    println!("create and remove 4 KiB: {created:.1?}; open and close: {opened:.1?}");
    let list = mp::ShareableList::new((0..1000).map(mp::ListItem::Int))?;
    let [got, set] = take_turns(
        ROUNDS,
        [&mut || timed(4096, || done(list.get(500)?)), &mut || timed(4096, || Ok(list.set(500, 7)?))],
    )?;
    println!("an int of a list: get {got:.1?}, set {set:.1?}");
    Ok(())
}

fn main() -> ExitCode {
    // Without it, it is a test runner that asks for tests: there are none.
    if !env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    println!("medians of {ROUNDS}; ratios are memcpy's time by the other's");
    let [a, b, c, d] = ["memcpy", "read", "write", "atomics"];
    println!("{:>9} {a:>12} {b:>12} {c:>12} {d:>12} {b:>8} {c:>8} {d:>8}", "bytes");
    match SIZES.into_iter().try_for_each(copies).and_then(|()| names()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("named: {failure}");
            ExitCode::FAILURE
        }
    }
}
