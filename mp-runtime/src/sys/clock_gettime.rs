//! `clock_gettime(2)`: the clock that costs next to nothing.

use std::mem::zeroed;

/// Nanoseconds of the monotonic clock as of the last tick of the kernel, some milliseconds ago at most.
pub(crate) fn coarse() -> u64 {
    // SAFETY: two integers.
    let mut now: libc::timespec = unsafe { zeroed() };
    // SAFETY: the time is written to `now`, which lives here. This clock is always there.
    let _failed = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
