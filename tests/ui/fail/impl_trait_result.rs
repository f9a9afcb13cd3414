use multiprocess as mp;

#[mp::process_target]
fn count() -> impl Iterator<Item = u64> {
    0..10
}

fn main() {}
