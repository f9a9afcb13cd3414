use multiprocess as mp;

#[mp::process_target]
fn next(numbers: &mut dyn Iterator<Item = u64>) -> Option<u64> {
    numbers.next()
}

fn main() {}
