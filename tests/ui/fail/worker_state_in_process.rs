use multiprocess as mp;

struct Counter(u64);

#[mp::process_target(worker_state)]
fn start_at(first: u64) -> Counter {
    Counter(first)
}

fn main() {
    mp::Process::new(start_at, (3,));
}
