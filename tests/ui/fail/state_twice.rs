use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn swap(one: &mut Model, other: &mut Model) {
    std::mem::swap(one, other);
}

fn main() {}
