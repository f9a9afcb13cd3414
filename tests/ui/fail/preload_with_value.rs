use multiprocess as mp;

#[mp::process_target(preload = true)]
fn load(number: u32) -> Vec<u32> {
    vec![number]
}

fn main() {}
