//! A lock goes to another process, the holding of it does not.

use multiprocess as mp;

#[mp::process_target]
fn work(_guard: mp::LockGuard<'static>) {}

fn main() {}
