use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state, worker_state)]
fn open(number: u64) -> Model {
    Model(number)
}

fn main() {}
