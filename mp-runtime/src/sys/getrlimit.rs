//! `getrlimit(2)`.

use std::io;

use nix::sys::resource::Resource;

/// EFBIG if this process may not write a file (or memory that the kernel counts as one) up to `end` (RLIMIT_FSIZE). To try
/// it ends in SIGXFSZ, and that kills.
pub(crate) fn check_file_size(end: u64) -> io::Result<()> {
    let (limit, _) = nix::sys::resource::getrlimit(Resource::RLIMIT_FSIZE)?;
    if end <= limit { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFBIG)) }
}
