use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn look(model: &Model, times: u64) -> u64 {
    model.0 * times
}

fn main() {}
