//! What can be preloaded: anything that many threads may look at, and nothing at all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use multiprocess as mp;

/// What cannot be sent.
pub struct Index {
    words: HashMap<&'static str, fn(u32) -> u32>,
    shared: Arc<Mutex<Vec<u32>>>,
}

#[derive(Debug)]
struct Missing;

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("missing")
    }
}

/// Documented.
#[mp::process_target(preload)]
pub fn index(first: u32, path: String) -> Index {
    Index { words: HashMap::new(), shared: Arc::new(Mutex::new(vec![first, path.len() as u32])) }
}

#[mp::process_target(preload)]
fn may_fail(number: u32) -> Result<Vec<u32>, Missing> {
    if number == 0 { Err(Missing) } else { Ok(vec![number]) }
}

#[mp::process_target(preload)]
fn warm_up() {}

#[mp::process_target(preload, name = "warm-up")]
fn may_fail_to_warm_up() -> std::io::Result<()> {
    Ok(())
}

#[mp::process_target]
fn count() -> Option<usize> {
    let found = mp::preloaded::<Index>()?;
    Some(found.words.len() + found.shared.lock().ok()?.len())
}

fn main() {
    let context = mp::Context::forkserver()
        .preload(index, (1, "path".to_owned()))
        .preload(may_fail, (1,))
        .preload(warm_up, ())
        .preload(may_fail_to_warm_up, ());
    assert_eq!(context.start(count, ()).unwrap().join().unwrap(), Some(2));
    // It is still a function.
    assert_eq!(may_fail(3).unwrap(), [3]);
    assert!(may_fail(0).is_err());
    warm_up();
    assert!(mp::preloaded::<Index>().is_none());
}
