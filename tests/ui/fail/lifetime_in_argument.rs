use multiprocess as mp;

use std::borrow::Cow;

#[mp::process_target]
fn shout(text: Cow<'_, str>) -> String {
    text.to_uppercase()
}

fn main() {}
