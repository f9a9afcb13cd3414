use multiprocess as mp;

#[mp::process_target]
fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

fn main() {}
