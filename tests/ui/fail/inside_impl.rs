use multiprocess as mp;

struct Counter;

impl Counter {
    #[mp::process_target]
    fn count(from: u64) -> u64 {
        from + 1
    }
}

fn main() {}
