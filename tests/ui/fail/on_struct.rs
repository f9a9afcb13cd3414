use multiprocess as mp;

#[mp::process_target]
struct Render {
    width: u32,
}

fn main() {}
