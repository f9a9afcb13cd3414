//! A library that nobody calls: its tool is found in the catalogue, its target in the table of targets.

use multiprocess as mp;

mod hidden {
    use super::mp;

    #[mp::process_target]
    pub(super) fn factorial(n: u64) -> u64 {
        (1..=n).product()
    }
}

inventory::submit! {
    catalogue::Tool { name: "factorial", start: |n| Ok(mp::spawn(hidden::factorial, (n,))?.join()?) }
}
