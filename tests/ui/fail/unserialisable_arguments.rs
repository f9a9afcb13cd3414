use multiprocess as mp;

struct Image;

#[mp::process_target]
fn save(image: Image, file: std::fs::File) {
    let _ = (image, file);
}

fn main() {}
