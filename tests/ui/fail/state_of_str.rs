use multiprocess as mp;

#[mp::process_target]
fn shout(text: &mut str) {
    text.make_ascii_uppercase();
}

fn main() {}
