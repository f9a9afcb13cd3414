use multiprocess as mp;

fn main() {
    let square = #[mp::process_target]
    |x: u64| x * x;
}
