use multiprocess as mp;

#[mp::process_target]
fn apply(function: fn(u64) -> u64, to: u64) -> u64 {
    function(to)
}

fn main() {}
