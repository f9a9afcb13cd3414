//! `fflush(3)`.

/// Writes what the C library has buffered for any stream. What cannot be written is left there.
pub(crate) fn all() {
    // SAFETY: null means all streams, each of which is locked meanwhile.
    let _failed = unsafe { libc::fflush(std::ptr::null_mut()) };
}
