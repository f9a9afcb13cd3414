use multiprocess as mp;

struct Model(u64);

#[mp::process_target]
fn matches(model: &mut Model, text: &str) -> bool {
    model.0 == text.len() as u64
}

fn main() {}
