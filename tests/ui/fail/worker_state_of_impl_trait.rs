use multiprocess as mp;

#[mp::process_target(worker_state)]
fn count(first: u64) -> impl Iterator<Item = u64> {
    first..
}

fn main() {}
