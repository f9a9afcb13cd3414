//! Inside its body the name of a target means the target: it calls itself, and starts itself.

use multiprocess as mp;

#[mp::process_target]
fn count(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    let _again = mp::Process::new(count, (n - 1,));
    let plain: fn(u64) -> u64 = *count;
    count(n - 1) + plain(0) + 1
}

fn main() {
    assert_eq!(count(3), 3);

    #[mp::process_target]
    fn inner(n: u64) -> u64 {
        let _again = mp::Process::new(inner, (n,));
        if n == 0 { 0 } else { inner(n - 1) }
    }
    assert_eq!(inner(2), 0);
}
