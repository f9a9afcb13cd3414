use multiprocess as mp;

#[mp::process_target]
unsafe fn read(address: usize) -> usize {
    address
}

fn main() {}
