use multiprocess as mp;

#[mp::process_target]
fn open(path: String, #[cfg(unix)] mode: u32) -> (String, u32) {
    (path, mode)
}

fn main() {}
