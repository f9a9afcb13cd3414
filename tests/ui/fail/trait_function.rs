use multiprocess as mp;

trait Count {
    #[mp::process_target]
    fn count(from: u64) -> u64;
}

fn main() {}
