use multiprocess as mp;

#[mp::process_target]
fn sort(descending: bool, numbers: &mut Vec<u64>) {
    numbers.sort_by_key(|n| if descending { u64::MAX - n } else { *n });
}

fn main() {}
