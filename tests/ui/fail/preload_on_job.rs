use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Load;

#[mp::process_target(preload)]
impl mp::Job for Load {
    fn run(self) -> u32 {
        1
    }
}

fn main() {}
