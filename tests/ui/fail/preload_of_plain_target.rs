use multiprocess as mp;

#[mp::process_target]
fn load(number: u32) -> Vec<u32> {
    vec![number]
}

fn main() {
    let _context = mp::Context::forkserver().preload(load, (1,));
}
