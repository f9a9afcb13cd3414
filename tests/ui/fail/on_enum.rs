use multiprocess as mp;

#[mp::process_target]
enum Step {
    First,
}

fn main() {}
