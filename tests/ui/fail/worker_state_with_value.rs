use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state = true)]
fn open(number: u64) -> Model {
    Model(number)
}

fn main() {}
