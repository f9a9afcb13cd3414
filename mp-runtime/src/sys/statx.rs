//! `statx(2)`: which directory it is.

use std::{ffi::CStr, io, mem::MaybeUninit, os::fd::OwnedFd, path::Path};

use nix::{
    fcntl::{OFlag, open},
    sys::stat::Mode,
};

use super::{errno::check, fcntl::above_stdio};

/// A directory, whatever its name is by now; and the mount through which it is seen, which is what `..` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Directory {
    device: (u32, u32),
    inode: u64,
    mount: u64,
}

/// What [`Directory`] is to somebody else: numbers.
type Numbers = ((u32, u32), u64, u64);

impl From<Numbers> for Directory {
    fn from((device, inode, mount): Numbers) -> Self {
        Self { device, inode, mount }
    }
}

impl From<Directory> for Numbers {
    fn from(Directory { device, inode, mount }: Directory) -> Self {
        (device, inode, mount)
    }
}

impl Directory {
    /// The working directory of this process.
    pub(crate) fn current() -> io::Result<Self> {
        // Not ".", which only finds who may search the directory.
        Self::find(c"")
    }

    /// What this process sees as `/`.
    pub(super) fn root() -> io::Result<Self> {
        Self::find(c"/")
    }

    fn find(path: &CStr) -> io::Result<Self> {
        let mut found = MaybeUninit::<libc::statx>::zeroed();
        let (name, mask) = (path.as_ptr(), libc::STATX_INO | libc::STATX_MNT_ID);
        // SAFETY: a NUL-terminated string, and memory of the type that the call fills.
        check(unsafe { libc::statx(libc::AT_FDCWD, name, libc::AT_EMPTY_PATH, mask, found.as_mut_ptr()) })?;
        // SAFETY: zeroed, then filled by the call; all-zero is a valid value of this C struct.
        let found = unsafe { found.assume_init() };
        let device = (found.stx_dev_major, found.stx_dev_minor);
        Ok(Self { device, inode: found.stx_ino, mount: found.stx_mnt_id })
    }
}

/// A descriptor to enter a directory by (O_PATH), of one that can be entered.
pub(crate) fn directory(path: &Path) -> io::Result<OwnedFd> {
    if path.as_os_str().is_empty() {
        return Err(io::Error::from_raw_os_error(libc::ENOENT));
    }
    open_path(&path.join("."))
}

/// One for the working directory of this process, also if that has no name any more.
pub(crate) fn working_directory() -> io::Result<OwnedFd> {
    open_path("/proc/self/cwd".as_ref())
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    above_stdio(open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}
