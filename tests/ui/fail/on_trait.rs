use multiprocess as mp;

#[mp::process_target]
trait Work {
    fn run(self);
}

fn main() {}
