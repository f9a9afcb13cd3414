use multiprocess as mp;

#[mp::process_target]
#[mp::process_target]
fn work() {}

fn main() {
    mp::Process::new(work, ());
}
