//! `sched_getaffinity(2)`: on how many processors the calling thread may run.

use std::mem::{size_of, zeroed};

/// Whether it is one only. False where the system does not say.
pub(crate) fn is_one() -> bool {
    // SAFETY: a set of processors is an array of integers.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: the kernel writes at most that size of the set, which lives here, for the calling thread (0).
    let failed = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    // SAFETY: reads the set.
    failed == 0 && unsafe { libc::CPU_COUNT(&set) } == 1
}
