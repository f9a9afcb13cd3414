use multiprocess as mp;

#[mp::process_target]
fn count(words: Vec<Option<&'static str>>) -> usize {
    words.len()
}

fn main() {}
