//! `atexit(3)`: runs on return from `main` and on `exit`, not on a signal.

use std::io;

/// Registers `handler` for the normal end of this process.
pub(crate) fn atexit(handler: extern "C" fn()) -> io::Result<()> {
    // SAFETY: `atexit` takes any function that lives as long as the program; this crate is part of the
    // main program (the hook checks that), so it is never unloaded.
    let failed = unsafe { libc::atexit(handler) };
    if failed == 0 { Ok(()) } else { Err(io::Error::from(io::ErrorKind::OutOfMemory)) }
}
