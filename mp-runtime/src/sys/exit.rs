//! `_exit(2)`.

/// Ends this process without running exit functions, or writing what is buffered.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: takes an integer, does not return.
    unsafe { libc::_exit(code) }
}
