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

fn main() {
    assert_eq!(square(3), 9);
    assert_eq!(named.id().name(), "explicit");
    assert!(square.id().name().ends_with("::square"));
    let _ = Process::new(square, (3,));
    let _ = Process::job(Power(3));
}
