use multiprocess as mp;

#[mp::process_target(title = "all at once", name = 7)]
async fn shout<T>(_text: &str, _times: Box<dyn Fn() -> u32>, _rest: *const T) -> &'static str {
    "all at once"
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl Render {
    async fn run(&self, _width: u32) -> &str {
        ""
    }
}

fn main() {}
