use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state)]
fn open(number: u64) -> Result<Model, Model> {
    Err(Model(number))
}

fn main() {}
