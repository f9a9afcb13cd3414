use multiprocess as mp;

struct Image;

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl mp::Job for Render {
    fn run(self) -> Image {
        Image
    }
}

fn main() {}
