//! How a name is removed, and by whom. `mod.rs` has the argument.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
};

use nix::libc;

use super::{lock, marker};
use crate::sys::{fcntl::effective_user, shm_open};

/// Which file it is: device and inode. Unique while somebody has it open.
pub(super) type Identity = (u64, u64);

pub(super) fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

/// Which segment has that name now.
pub(super) fn find(name: &str) -> io::Result<Identity> {
    Ok(identity(&fs::symlink_metadata(shm_open::path(name))?))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    Removed,
    /// The name leads nowhere, or elsewhere.
    NotThere,
    /// Another one is removing it just now.
    Busy,
    /// It has an owner, or is none of ours.
    Kept,
}

/// Removes `name`, if it leads to `file`.
pub(super) fn unlink(file: &File, name: &str) -> io::Result<Removal> {
    let wanted = identity(&file.metadata()?);
    let Some(_unlinking) = lock::Unlinking::begin(file)? else { return Ok(Removal::Busy) };
    let removed = match find(name) {
        Ok(found) if found == wanted => shm_open::unlink(name),
        Ok(_) => return Ok(Removal::NotThere),
        Err(error) => Err(error),
    };
    match removed {
        Ok(()) => Ok(Removal::Removed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Removal::NotThere),
        Err(error) => Err(error),
    }
}

/// Removes `name`, if it leads to an orphan of this user's.
pub(super) fn reclaim(name: &str) -> io::Result<Removal> {
    // Looked at before it is opened, which could do something where it is no file.
    let may_be_ours = |metadata: &Metadata| metadata.is_file() && metadata.uid() == effective_user();
    match fs::symlink_metadata(shm_open::path(name)) {
        Ok(metadata) if may_be_ours(&metadata) => {}
        Ok(_) => return Ok(Removal::Kept),
        Err(error) => return gone(error),
    }
    let file = match shm_open::open(name) {
        Ok(file) => file,
        Err(error) => return gone(error),
    };
    // The owner first: `persist` removes the marker before it gives the lock free.
    if !may_be_ours(&file.metadata()?) || lock::is_owned_elsewhere(&file)? || !marker::is_set(&file) {
        return Ok(Removal::Kept);
    }
    unlink(&file, name)
}

/// What cannot be opened is left alone, but for want of means.
fn gone(error: io::Error) -> io::Result<Removal> {
    match error.raw_os_error() {
        Some(libc::ENOENT) => Ok(Removal::NotThere),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => Err(error),
        _ => Ok(Removal::Kept),
    }
}

/// Removes all orphans of this user's whose name `is_meant`; says which.
pub(crate) fn cleanup(is_meant: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(shm_open::DIRECTORY)? {
        // A name that is no text is none of ours.
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_meant(&name) && reclaim(&name)? == Removal::Removed {
            removed.push(name);
        }
    }
    removed.sort();
    Ok(removed)
}
