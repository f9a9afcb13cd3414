use multiprocess as mp;

#[mp::process_target]
fn show(value: Vec<_>) {
    drop(value);
}

fn main() {}
