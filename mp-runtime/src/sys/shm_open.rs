//! `shm_open(3)`, and what it lacks: shared memory that gets its name when it is finished.
//!
//! glibc's objects are files in one directory. [`open`] and [`unlink`] are what `shm_open` and `shm_unlink` do, by paths.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::OpenOptionsExt,
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::linkat,
};

use super::fcntl::above_stdio;

/// Where glibc keeps shared memory: `SHMDIR` of its `shm-directory.h`.
pub(crate) const DIRECTORY: &str = "/dev/shm";

/// The file of that name.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// The shared memory of that name, for reading and writing, close-on-exec. Follows no symbolic link (ELOOP), as
/// `shm_open`, and does not wait for the other side of a pipe that lies there.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    open_above_stdio(&path(name), flags)
}

/// Shared memory without a name, of mode 0600 but for the umask, for [`link`]. EOPNOTSUPP or EISDIR where the file system
/// has no such thing.
pub(crate) fn unnamed() -> io::Result<File> {
    open_above_stdio(Path::new(DIRECTORY), libc::O_TMPFILE)
}

/// Gives `file` its name, in one step; EEXIST if that is taken. A file whose last name was removed gets none again
/// (ENOENT).
pub(crate) fn link(file: impl AsFd, name: &str) -> io::Result<()> {
    let magic = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    Ok(linkat(AT_FDCWD, magic.as_str(), AT_FDCWD, &path(name), AtFlags::AT_SYMLINK_FOLLOW)?)
}

/// The same file once more: an open file description of its own.
pub(crate) fn reopen(file: impl AsFd) -> io::Result<File> {
    open_above_stdio(Path::new(&format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())), 0)
}

/// Removes the name. Who has the memory open or mapped keeps it.
pub(crate) fn unlink(name: &str) -> io::Result<()> {
    std::fs::remove_file(path(name))
}

fn open_above_stdio(path: &Path, flags: i32) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).mode(0o600).custom_flags(flags).open(path)?;
    Ok(above_stdio(file.into())?.into())
}
