use multiprocess as mp;

#[mp::process_target(preload)]
fn load() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

fn main() {}
