use multiprocess as mp;

#[mp::process_target(name = "one", name = "two")]
fn work() {}

fn main() {}
