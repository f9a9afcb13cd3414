use multiprocess as mp;

struct Image;

#[mp::process_target]
fn shrink(image: Image, by: u32) {
    let _ = (image, by);
}

fn main() {
    mp::Process::new(shrink, (Image, 2));
}
