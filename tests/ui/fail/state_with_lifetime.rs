use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn next<'a>(model: &'a mut Model) -> u64 {
    model.0
}

fn main() {}
