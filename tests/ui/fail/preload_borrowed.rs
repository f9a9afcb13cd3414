use multiprocess as mp;

#[mp::process_target(preload)]
fn load(path: &str) -> Vec<u8> {
    path.as_bytes().to_vec()
}

fn main() {}
