use multiprocess as mp;

#[mp::process_target]
fn main() {}
