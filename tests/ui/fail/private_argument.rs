use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Image;

#[mp::process_target]
pub fn shrink(image: Image) {
    drop(image);
}

fn main() {}
