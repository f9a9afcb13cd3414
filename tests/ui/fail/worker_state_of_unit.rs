use multiprocess as mp;

#[mp::process_target(worker_state)]
fn open(path: String) -> () {
    drop(path);
}

fn main() {}
