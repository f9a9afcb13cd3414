//! How a segment comes to be: whole, owned and marked before it has a name.

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::{FileExt, PermissionsExt},
    thread,
};

use nix::libc;

use super::{
    lock, marker,
    unlink::{Removal, reclaim},
};
use crate::{
    error::{Error, Result},
    fault,
    sys::{fallocate::fallocate, getrlimit::check_file_size, shm_open},
};

/// How often a name is tried for that an orphan had.
const TRIES: u32 = 100;

/// A segment that has all but a name. `content` is what it begins with.
pub(super) fn unnamed(size: usize, content: &[u8]) -> Result<File> {
    let length = match i64::try_from(size) {
        Ok(0) => return Err(Error::invalid("shared memory of 0 bytes cannot be mapped; it needs at least one")),
        Ok(length) => length,
        Err(_) => return Err(Error::invalid(format!("{size} bytes are more than a file can have"))),
    };
    let file = shm_open::unnamed().map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL) => Error::unsupported(format!(
            "{} is no tmpfs: it does not know files without a name (O_TMPFILE): {error}",
            shm_open::DIRECTORY
        )),
        _ => Error::os(format!("make a file without a name in {}", shm_open::DIRECTORY), error),
    })?;
    fault::point_named("segment-made");
    check_file_size(length as u64)
        .map_err(|error| Error::os(format!("reserve {size} bytes (`ulimit -f`, RLIMIT_FSIZE)"), error))?;
    fallocate(&file, length).map_err(|error| Error::os(format!("reserve {size} bytes"), error))?;
    fault::point_named("segment-reserved");
    file.write_all_at(content, 0).map_err(|error| Error::os("write what it begins with", error))?;
    // Whatever the umask took away.
    file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| Error::os("set the mode", error))?;
    lock::own(&file).map_err(|error| Error::os("lock it for its owner", error))?;
    fault::point_named("segment-locked");
    marker::set(&file).map_err(|error| Error::os("mark it", error))?;
    fault::point_named("segment-marked");
    Ok(file)
}

/// Gives it the name; takes that from an orphan.
pub(super) fn publish(file: &File, name: &str) -> io::Result<()> {
    for _ in 0..TRIES {
        match shm_open::link(file, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match reclaim(name)? {
                Removal::Removed | Removal::NotThere => {}
                // Another one removes the orphan just now.
                Removal::Busy => thread::yield_now(),
                Removal::Kept => return Err(error),
            },
            done => {
                fault::point_named("segment-linked");
                return done;
            }
        }
    }
    Err(io::Error::from_raw_os_error(libc::EEXIST))
}
