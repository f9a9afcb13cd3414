//! A crate that re-exports `multiprocess` under another name.

mod deps {
    pub use multiprocess as renamed;
}

/// Where the name would be found without the option.
mod multiprocess {}

use deps::renamed::{Job, Process, Target as _, process_target};

#[process_target(crate = deps::renamed)]
fn square(x: u64) -> u64 {
    x * x
}

#[process_target(name = "explicit", crate = crate::deps::renamed)]
fn named() {}

#[derive(serde::Serialize, serde::Deserialize)]
struct Power(u64);

#[process_target(crate = deps::renamed)]
impl Job for Power {
    fn run(self) -> u64 {
        self.0
    }
}

struct Counter(u64);

#[process_target(crate = deps::renamed, worker_state)]
fn start_at(first: u64) -> Result<Counter, String> {
    Ok(Counter(first))
}

#[process_target(crate = deps::renamed)]
fn next(counter: &mut Counter) -> u64 {
    counter.0 += 1;
    counter.0
}

fn main() {
    assert_eq!(next(&mut start_at(3).unwrap()), 4);
    assert_eq!(square(3), 9);
    assert_eq!(named.id().name(), "explicit");
    assert!(square.id().name().ends_with("::square"));
    let _ = Process::new(square, (3,));
    let _ = Process::job(Power(3));
}
