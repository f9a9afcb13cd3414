//! `errno(3)`: the one place where a return code becomes a `Result`.

use std::io;

/// What a C function returned, with -1 turned into the error that `errno` names.
pub(super) fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
