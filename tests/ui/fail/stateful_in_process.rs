use multiprocess as mp;

struct Counter(u64);

#[mp::process_target]
fn add(counter: &mut Counter, n: u64) -> u64 {
    counter.0 += n;
    counter.0
}

fn main() {
    mp::Process::new(add, (3,));
}
