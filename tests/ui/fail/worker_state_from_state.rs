use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state)]
fn open(model: &mut Model) -> Model {
    Model(model.0)
}

fn main() {}
