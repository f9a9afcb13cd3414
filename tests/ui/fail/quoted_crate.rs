use multiprocess as mp;

#[mp::process_target(crate = "multiprocess")]
fn work() {}

fn main() {}
