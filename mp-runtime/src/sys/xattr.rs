//! `xattr(7)`: attributes of a file beside its content.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd},
};

use super::errno::check;

/// Sets the attribute `name`, whether it was there or not.
pub(crate) fn fsetxattr(file: impl AsFd, name: &CStr, value: &[u8]) -> io::Result<()> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the name ends in NUL, the value is as long as said; both are only read, during the call.
    check(unsafe { libc::fsetxattr(fd, name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })?;
    Ok(())
}

/// Whether the attribute `name` is there and has just this value.
pub(crate) fn fhasxattr(file: impl AsFd, name: &CStr, value: &[u8]) -> bool {
    let fd = file.as_fd().as_raw_fd();
    // One more than there should be, so that a longer one is seen to be longer.
    let mut found = vec![0_u8; value.len() + 1];
    // SAFETY: the name ends in NUL, the buffer is writable and as long as said.
    let length = unsafe { libc::fgetxattr(fd, name.as_ptr(), found.as_mut_ptr().cast(), found.len()) };
    usize::try_from(length).is_ok_and(|length| found.get(..length) == Some(value))
}

/// Removes the attribute `name`; it need not be there.
pub(crate) fn fremovexattr(file: impl AsFd, name: &CStr) -> io::Result<()> {
    let fd = file.as_fd().as_raw_fd();
    // SAFETY: the name ends in NUL and is only read, during the call.
    match check(unsafe { libc::fremovexattr(fd, name.as_ptr()) }) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::EOPNOTSUPP)) => Ok(()),
        done => done.map(drop),
    }
}
