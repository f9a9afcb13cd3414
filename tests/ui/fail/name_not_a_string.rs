use multiprocess as mp;

#[mp::process_target(name = work)]
fn work() {}

fn main() {}
