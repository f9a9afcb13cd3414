use multiprocess as mp;

#[mp::process_target]
fn shout<'a>() {}

fn main() {}
