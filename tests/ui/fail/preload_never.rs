use multiprocess as mp;

#[mp::process_target(preload)]
fn load() -> ! {
    loop {}
}

fn main() {}
