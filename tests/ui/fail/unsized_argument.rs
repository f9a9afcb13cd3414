use multiprocess as mp;

#[mp::process_target]
fn shout(text: str) {}

fn main() {}
