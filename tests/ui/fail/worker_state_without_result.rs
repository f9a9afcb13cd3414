use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state)]
fn open(path: String) {
    drop(Model(path.len() as u64));
}

fn main() {}
