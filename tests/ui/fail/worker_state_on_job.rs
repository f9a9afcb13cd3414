use multiprocess as mp;

#[derive(serde::Serialize, serde::Deserialize)]
struct Open;

#[mp::process_target(worker_state)]
impl mp::Job for Open {
    fn run(self) -> u64 {
        3
    }
}

fn main() {}
