use multiprocess as mp;

struct Counter(u64);

impl Counter {
    #[mp::process_target]
    fn count(&self) -> u64 {
        self.0
    }
}

fn main() {}
