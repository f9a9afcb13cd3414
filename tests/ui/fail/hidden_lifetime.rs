use multiprocess as mp;

struct Text<'a>(&'a str);

#[mp::process_target]
fn shout(text: Text) -> String {
    text.0.to_uppercase()
}

fn main() {}
