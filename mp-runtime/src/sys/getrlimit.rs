//! `getrlimit(2)`.

use std::io;

use nix::sys::resource::Resource;

/// EFBIG if this process may not write a file (or memory that the kernel counts as one) up to `end` (RLIMIT_FSIZE). To try
/// it ends in SIGXFSZ, and that kills.
pub(crate) fn check_file_size(end: u64) -> io::Result<()> {
    let (limit, _) = nix::sys::resource::getrlimit(Resource::RLIMIT_FSIZE)?;
    if end <= limit { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EFBIG)) }
}

/// How large a stack a program's first thread may get (RLIMIT_STACK): what a function that runs there may count on.
pub(crate) fn stack() -> usize {
    const USUAL: u64 = 8 << 20;
    const MOST: u64 = 1 << 30;
    let limit = nix::sys::resource::getrlimit(Resource::RLIMIT_STACK).map_or(USUAL, |(limit, _)| limit);
    if limit > MOST { USUAL as usize } else { limit.max(64 << 10) as usize }
}
