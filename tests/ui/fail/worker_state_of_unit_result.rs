use multiprocess as mp;

#[mp::process_target(worker_state)]
fn open(path: String) -> Result<(), String> {
    Err(path)
}

fn main() {}
