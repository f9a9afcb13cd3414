//! Generated code holds no `unsafe` of the user's.
#![forbid(unsafe_code)]

use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

fn main() {
    assert_eq!(square(3), 9);
}
