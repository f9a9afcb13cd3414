use multiprocess as mp;

#[mp::process_target(preload)]
fn load(model: &mut Vec<u32>) -> u32 {
    model[0]
}

fn main() {}
