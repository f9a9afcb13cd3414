use multiprocess as mp;

struct Counter(u64);

impl Counter {
    #[mp::process_target]
    fn count(counter: Self) -> u64 {
        counter.0
    }
}

fn main() {}
