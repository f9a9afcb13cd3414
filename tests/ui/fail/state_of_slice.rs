use multiprocess as mp;

#[mp::process_target]
fn add(numbers: &mut [u64], n: u64) {
    numbers[0] += n;
}

fn main() {}
