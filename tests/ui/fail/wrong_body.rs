use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x.to_string()
}

fn main() {}
