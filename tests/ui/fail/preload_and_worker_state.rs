use multiprocess as mp;

#[mp::process_target(preload, worker_state)]
fn load(number: u32) -> Vec<u32> {
    vec![number]
}

fn main() {}
