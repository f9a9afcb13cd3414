//! `clock_gettime(2)`: the monotonic clock as a number, which other processes of this system understand.

use std::mem::zeroed;

/// Nanoseconds of the monotonic clock as of the last tick of the kernel, some milliseconds ago at most; it costs next to nothing.
pub(crate) fn coarse() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC_COARSE)
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn monotonic() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    // SAFETY: two integers.
    let mut now: libc::timespec = unsafe { zeroed() };
    // SAFETY: the time is written to `now`, which lives here. Both clocks are always there.
    let _failed = unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
