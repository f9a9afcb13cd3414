use multiprocess as mp;

#[mp::process_target(name = "")]
fn work() {}

fn main() {}
