use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn learn(model: &mut Model, times: u32, other: Model) {
    model.0 = other.0 * u64::from(times);
}

fn main() {}
