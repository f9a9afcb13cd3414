use multiprocess as mp;

fn square(x: u64) -> u64 {
    x * x
}

fn main() {
    mp::Process::new(square, (3,));
}
