use multiprocess as mp;

fn main() {
    mp::Process::new(|x: u64| x * x, (3,));
}
