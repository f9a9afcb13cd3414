use multiprocess as mp;

#[mp::process_target]
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.sum()
}

fn main() {}
