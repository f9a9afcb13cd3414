use multiprocess as mp;

struct Image;

#[mp::process_target]
fn render(width: u32) -> Image {
    let _ = width;
    Image
}

fn main() {
    mp::Process::new(render, (2,));
}
