use multiprocess as mp;

#[mp::process_target]
fn sort(numbers: &mut Vec<u64>) {
    numbers.sort();
}

fn main() {}
