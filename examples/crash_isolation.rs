//! Six ways for a child to end badly; the parent is told of each, and goes on.
//!
//! `cargo run --example crash_isolation`
//!
//! What the children say themselves stands on stderr; `2>/dev/null` leaves the parent's report. Python's twin:
//! `p.join(timeout)`, `p.kill()` and a look at `p.exitcode`, which says less.

use std::{hint::black_box, process, ptr, thread, time::Duration};

use mp::JoinError;
use multiprocess as mp;

#[mp::process_target]
fn bad_index() -> u32 {
    let nothing: Vec<u32> = Vec::new();
    nothing[black_box(7)]
}

#[mp::process_target]
fn early_exit() -> u32 {
    process::exit(3)
}

#[mp::process_target]
fn abort() -> u32 {
    process::abort()
}

#[mp::process_target]
fn null_pointer() -> u32 {
    #[expect(unsafe_code, reason = "stands for a bug in a native library")]
    // SAFETY: none; this is the bug, and it costs the child only.
    unsafe {
        ptr::read_volatile(black_box(ptr::null()))
    }
}

#[mp::process_target]
fn deep_recursion() -> u32 {
    black_box(deep_recursion()) + 1
}

#[mp::process_target]
fn endless_loop() -> u32 {
    loop {
        thread::sleep(Duration::from_millis(1));
    }
}

#[mp::process_target]
fn answer() -> u32 {
    42
}

/// Waits for a child, but not for ever.
fn outcome(child: &mp::Process<u32>) -> mp::Result<String> {
    if child.join_timeout(Duration::from_secs(1)).is_none() {
        child.kill()?; // a thread could not be stopped
    }
    Ok(match child.join() {
        Ok(value) => format!("returned {value}"),
        Err(JoinError::Panicked(_, panic)) => format!("panicked: {}", panic.message()),
        Err(JoinError::Exited(ended)) => format!("exited with code {}", ended.code().unwrap_or_default()),
        Err(JoinError::Aborted(_)) => "aborted".to_owned(),
        Err(JoinError::StackOverflow(_)) => "overflowed its stack".to_owned(),
        Err(JoinError::Killed(ended)) => format!("was killed by signal {}", ended.signal().unwrap_or_default()),
        Err(other) => other.to_string(),
    })
}

fn main() -> mp::Result<()> {
    let children = [
        mp::Process::new(bad_index, ()).name("bad index").start()?,
        mp::Process::new(early_exit, ()).name("early exit").start()?,
        mp::Process::new(abort, ()).name("abort").start()?,
        mp::Process::new(null_pointer, ()).name("null pointer").start()?,
        mp::Process::new(deep_recursion, ()).name("deep recursion").start()?,
        mp::Process::new(endless_loop, ()).name("endless loop").start()?,
        mp::Process::new(answer, ()).name("answer").start()?,
    ];
    for child in &children {
        println!("{:<15} {}", child.name(), outcome(child)?);
    }
    Ok(())
}
