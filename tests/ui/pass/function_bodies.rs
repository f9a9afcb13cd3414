//! Targets in function bodies: each is a target of its own, though the names are equal.

use multiprocess as mp;

use mp::Target;

fn one() -> mp::TargetId {
    #[mp::process_target]
    fn work() -> u32 {
        1
    }
    assert_eq!(work(), 1);
    work.id()
}

fn two() -> mp::TargetId {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Local(u32);

    #[mp::process_target]
    fn work(local: Local) -> u32 {
        local.0
    }
    assert_eq!(work(Local(2)), 2);
    work.id()
}

fn main() {
    assert_eq!(one().name(), two().name());
    assert_ne!(one(), two());
}
