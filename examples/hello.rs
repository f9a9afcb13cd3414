//! The shortest program: a function runs in a child process and its result comes back.
//!
//! `cargo run --example hello`

use multiprocess as mp;

#[mp::process_target]
fn collatz(mut n: u64) -> u32 {
    let mut steps = 0;
    while n != 1 {
        n = if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

fn main() -> mp::Result<()> {
    let child = mp::Process::new(collatz, (27,)).name("steps").start()?;
    println!("{} runs as pid {}", child.name(), child.pid());
    println!("27 takes {} steps", child.join()?);
    assert_eq!(collatz(27), 111); // still an ordinary function
    Ok(())
}
