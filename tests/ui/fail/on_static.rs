use multiprocess as mp;

#[mp::process_target]
static SQUARE: fn(u64) -> u64 = |x| x * x;

fn main() {}
