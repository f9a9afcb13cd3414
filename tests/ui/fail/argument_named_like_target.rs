use multiprocess as mp;

#[mp::process_target]
fn name(name: String) -> String {
    name
}

fn main() {}
