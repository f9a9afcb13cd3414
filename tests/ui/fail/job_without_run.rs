use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Render;

#[mp::process_target]
impl mp::Job for Render {}

fn main() {}
