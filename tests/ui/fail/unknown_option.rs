use multiprocess as mp;

#[mp::process_target(daemon = true)]
fn work() {}

fn main() {
    mp::Process::new(work, ());
}
