//! `fallocate(2)`: memory that is there before it is written to.

use std::{io, num::NonZeroUsize, os::fd::AsFd};

use nix::{
    fcntl::FallocateFlags,
    sys::{
        mman::{MapFlags, ProtFlags, mmap_anonymous, munmap},
        statvfs::fstatvfs,
    },
};

use super::getrlimit::check_file_size;

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
    in_steps(file, 0, size)
}

/// Lets a memfd be `size` bytes long, of which it has `from` already, with memory under all of them, zeroed. Without
/// it a first touch that the kernel has no page for is SIGBUS.
///
/// ENOMEM, ENOSPC: there is no memory for it, as far as the kernel says so beforehand. EFBIG: the limit of file sizes.
pub(crate) fn allocate(memfd: impl AsFd, from: usize, size: usize) -> io::Result<()> {
    check_file_size(size as u64)?;
    would_be_granted(size.saturating_sub(from))?;
    let length = |bytes: usize| i64::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG));
    in_steps(memfd, length(from)?, length(size)?)
}

/// Gives the memory under a part of a memfd back to the system; the part reads as zeros from then on.
pub(crate) fn punch_hole(memfd: impl AsFd, from: usize, length: usize) -> io::Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    let signed = |bytes: usize| i64::try_from(bytes).map_err(io::Error::other);
    let (from, length) = (signed(from)?, signed(length)?);
    loop {
        match nix::fcntl::fallocate(&memfd, flags, from, length) {
            Err(nix::Error::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

fn in_steps(file: impl AsFd, from: i64, end: i64) -> io::Result<()> {
    let mut done = from;
    while done < end {
        let step = STEP.min(end - done);
        match nix::fcntl::fallocate(&file, FallocateFlags::empty(), done, step) {
            Ok(()) => done += step,
            Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Asks whether the kernel would grant so much memory to a private mapping. A memfd's it grants page by page, and what is
/// plainly too much would end in the out-of-memory killer.
fn would_be_granted(length: usize) -> io::Result<()> {
    let Some(length) = NonZeroUsize::new(length).filter(|length| length.get() > STEP as usize) else { return Ok(()) };
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
    let start = unsafe { mmap_anonymous(None, length, access, MapFlags::MAP_PRIVATE) }?;
    // SAFETY: the mapping made above, of which nobody else knows.
    unsafe { munmap(start, length.get()) }?;
    Ok(())
}
