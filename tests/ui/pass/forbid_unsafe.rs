//! Generated code holds no `unsafe` of the user's.
#![forbid(unsafe_code)]

use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

struct Counter(u64);

#[mp::process_target(worker_state)]
fn start_at(first: u64) -> Result<Counter, String> {
    Ok(Counter(first))
}

#[mp::process_target]
fn next(counter: &mut Counter) -> u64 {
    counter.0 += 1;
    counter.0
}

fn main() {
    assert_eq!(square(3), 9);
    assert_eq!(next(&mut start_at(3).unwrap()), 4);
}
