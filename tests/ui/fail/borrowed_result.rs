use multiprocess as mp;

#[mp::process_target]
fn motto() -> &'static str {
    "one name, one thing"
}

fn main() {}
