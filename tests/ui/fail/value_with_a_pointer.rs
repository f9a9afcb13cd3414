//! A pointer means nothing in another process.

use multiprocess as mp;

fn main() {
    let _ = mp::Value::new(String::from("text"));
}
