//! `fallocate(2)`: memory that is there before it is written to.

use std::{io, os::fd::AsFd};

use nix::{fcntl::FallocateFlags, sys::statvfs::fstatvfs};

/// What is asked for at once: a signal makes the kernel give up all of one request, and it must get through some time.
const STEP: i64 = 4 << 20;

/// Makes `file` `size` bytes long, all of them zero and with memory behind them: who maps it gets no SIGBUS because
/// there is none left. ENOSPC if there is not enough.
pub(crate) fn fallocate(file: impl AsFd, size: i64) -> io::Result<()> {
    // The kernel would refuse the whole at once, the steps only when all there is has been taken.
    let system = fstatvfs(&file)?;
    let has_limit = system.blocks() > 0;
    if has_limit && size as u64 > system.blocks_available().saturating_mul(system.fragment_size()) {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    let mut done = 0;
    while done < size {
        let step = STEP.min(size - done);
        match nix::fcntl::fallocate(&file, FallocateFlags::empty(), done, step) {
            Ok(()) => done += step,
            Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
