use multiprocess as mp;

#[mp::process_target(worker_state)]
fn open(path: String) -> std::process::ExitCode {
    drop(path);
    std::process::ExitCode::SUCCESS
}

fn main() {}
