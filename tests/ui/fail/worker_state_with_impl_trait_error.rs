use multiprocess as mp;

struct Model(u64);

#[mp::process_target(worker_state)]
fn open(number: u64) -> Result<Model, impl std::fmt::Display> {
    if number > 0 { Ok(Model(number)) } else { Err("no number") }
}

fn main() {}
