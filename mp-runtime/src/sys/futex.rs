//! `futex(2)`: to sleep on a word of memory that several processes see, and to wake who does.

use std::{io, ptr, sync::atomic::AtomicU32, time::Duration};

/// Sleeps while `word` is `expected`, until woken, or for `most`. Returns whatever the reason, which may be a signal
/// or none: the caller looks again. The word is compared and the sleep begun in one step. Says whether it was woken, by
/// somebody's [`wake`], which counted it.
pub(crate) fn wait(word: &AtomicU32, expected: u32, most: Option<Duration>) -> bool {
    let most = most.map(|most| libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(most.subsec_nanos()),
    });
    let timeout = most.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word and the timeout live for the length of the call; the kernel only reads them. That it does so
    // while others write the word is what it is made for.
    let failed = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, expected, timeout) };
    failed == 0
}

/// Wakes up to `most` who sleep on `word`, longest first, and returns how many those were.
pub(crate) fn wake(word: &AtomicU32, most: u32) -> u32 {
    wake_at(word, most)
}

/// The same for a word that may be gone: then nobody is woken, or somebody who sleeps on what has its place now, and looks again.
pub(super) fn wake_at(word: *const AtomicU32, most: u32) -> u32 {
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    // SAFETY: the kernel uses the address only, and finds out itself whether there is anything.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, most) };
    u32::try_from(woken).unwrap_or(0)
}

/// Whether this system has what this library needs of it: the calls above fail only for words that cannot be, and
/// where a filter of system calls (seccomp) forbids them.
pub(crate) fn check() -> io::Result<()> {
    let word = AtomicU32::new(0);
    // SAFETY: as in `wake`.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    if woken < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
