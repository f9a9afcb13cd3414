use multiprocess as mp;

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

fn main() {
    mp::Process::new(square, ("three",));
}
