use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl Clone for Render {
    fn clone(&self) -> Self {
        Render
    }
}

fn main() {}
