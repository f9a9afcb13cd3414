use multiprocess as mp;

#[mp::process_target]
fn shout(text: &str) -> String {
    text.to_uppercase()
}

fn main() {}
