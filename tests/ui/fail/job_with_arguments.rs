use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl Render {
    fn run(self, width: u32, height: u32) {
        let _ = (width, height);
    }
}

fn main() {}
