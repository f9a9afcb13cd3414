use multiprocess as mp;

#[mp::process_target]
fn call(work: Box<dyn Fn() + Send>) {
    work();
}

fn main() {}
