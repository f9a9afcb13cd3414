use multiprocess as mp;

#[mp::process_target]
fn read(from: *const u8) {
    let _ = from;
}

fn main() {}
