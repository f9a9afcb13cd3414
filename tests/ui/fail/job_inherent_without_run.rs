use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl Render {
    fn draw(self) {}
}

fn main() {}
