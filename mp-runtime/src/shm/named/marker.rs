//! What says that a segment was made by this library, and goes with its owner.
//!
//! Since Linux 6.6 a file in `/dev/shm` can have extended attributes of its user's; ours holds the number of the inode, so
//! that a copy of the file with all attributes is not taken for the original. Older kernels have only access control lists
//! there: ours names the file's owner once more, as somebody without any right, which changes nothing, because the
//! owner's own entry is looked at first, and which nobody else has a reason to write. Where there is neither, a segment
//! has no marker, and nobody removes it when its owner was killed.

use std::{ffi::CStr, fs::File, io, os::unix::fs::MetadataExt};

use crate::sys::{
    fcntl::effective_user,
    xattr::{fhasxattr, fremovexattr, fsetxattr},
};

/// The attribute.
pub(super) const ATTRIBUTE: &CStr = c"user.multiprocess.owned";
const ACCESS_LIST: &CStr = c"system.posix_acl_access";

/// Marks the segment, if that is possible here.
pub(super) fn set(file: &File) -> io::Result<()> {
    if fsetxattr(file, ATTRIBUTE, value(file)?.as_bytes()).is_err() {
        // Nothing more can be done where this fails too.
        set_access_list(file).ok();
    }
    Ok(())
}

/// Whether it is marked.
pub(super) fn is_set(file: &File) -> bool {
    value(file).is_ok_and(|value| fhasxattr(file, ATTRIBUTE, value.as_bytes()))
        || fhasxattr(file, ACCESS_LIST, &access_list())
}

/// Removes the mark.
pub(super) fn clear(file: &File) -> io::Result<()> {
    fremovexattr(file, ATTRIBUTE)?;
    if fhasxattr(file, ACCESS_LIST, &access_list()) { fremovexattr(file, ACCESS_LIST) } else { Ok(()) }
}

/// What is in it.
pub(super) fn value(file: &File) -> io::Result<String> {
    Ok(file.metadata()?.ino().to_string())
}

/// The other way to mark.
pub(super) fn set_access_list(file: &File) -> io::Result<()> {
    fsetxattr(file, ACCESS_LIST, &access_list())
}

/// The kernel's `posix_acl_xattr.h`: a version, then tag, rights and id of each entry.
fn access_list() -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    const READ_AND_WRITE: u16 = 6;
    // Owner; user by id; group; mask of what users by id and groups get; others.
    let entries = [
        (0x01_u16, READ_AND_WRITE, NOBODY),
        (0x02, 0, effective_user()),
        (0x04, 0, NOBODY),
        (0x10, 0, NOBODY),
        (0x20, 0, NOBODY),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}
