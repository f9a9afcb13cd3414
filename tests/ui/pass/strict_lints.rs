//! Generated code is clean under every lint that a careful crate denies.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    unused_lifetimes,
    unused_results,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop,
    non_local_definitions,
    rust_2024_compatibility,
    nonstandard_style,
    future_incompatible,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]

use multiprocess as mp;

/// Has docs.
#[mp::process_target]
pub fn documented(x: u64) -> u64 {
    x * x
}

#[mp::process_target]
fn unused(list: Vec<u64>) -> usize {
    list.len()
}

/// Old.
#[deprecated = "use `documented`"]
#[must_use]
#[mp::process_target]
pub fn old(x: u64) -> u64 {
    if x == 0 { 0 } else { old(x - 1) }
}

mod inner {
    use multiprocess as mp;

    #[mp::process_target]
    #[inline]
    #[expect(unused_variables, reason = "it goes with the body")]
    pub(crate) fn crate_wide(x: u64) {}

    #[mp::process_target]
    pub(super) fn never() -> ! {
        std::process::exit(1)
    }
}

/// A job.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Render {
    /// Its path.
    pub path: String,
}

#[mp::process_target]
impl mp::Job for Render {
    fn run(self) -> String {
        self.path
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Inherent;

#[mp::process_target]
impl Inherent {
    fn run(self) {
        drop(self);
    }
}

/// A state.
#[derive(Debug)]
pub struct Counter {
    count: u64,
    log: Vec<String>,
}

/// Makes it.
///
/// # Errors
///
/// Not here.
#[mp::process_target(worker_state)]
pub fn start_at(count: u64) -> Result<Counter, std::fmt::Error> {
    Ok(Counter { count, log: Vec::new() })
}

/// Uses it.
#[mp::process_target]
pub fn log(counter: &mut Counter, text: String) -> u64 {
    counter.log.push(text);
    counter.count
}

#[mp::process_target]
fn sort(list: &mut Vec<u64>) {
    list.sort_unstable();
}

fn main() {
    let mut list = vec![2, 1];
    sort(&mut list);
    if let Ok(mut counter) = start_at(list[0]) {
        assert_eq!(log(&mut counter, String::new()), 1);
    }

    #[mp::process_target]
    fn local() {}

    local();
    inner::crate_wide(documented(2));
    if std::env::args().count() > 100 {
        inner::never();
    }
    drop(Inherent);
}
