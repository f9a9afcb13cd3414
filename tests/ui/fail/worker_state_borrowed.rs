use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state)]
fn open(number: u64) -> &'static Model {
    Box::leak(Box::new(Model(number)))
}

fn main() {}
