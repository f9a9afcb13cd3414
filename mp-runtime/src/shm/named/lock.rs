//! The two locks of a segment: its owner's, and that of whoever removes its name.
//!
//! Both are on bytes at the end of what a file can have, where nobody's data is.

use std::{fs::File, io};

use crate::sys::fcntl_locking::{is_locked_elsewhere, try_lock, unlock};

/// Held for as long as the segment has an owner.
const OWNER: u64 = i64::MAX as u64 - 1;
/// Held from the look which segment has the name until the name is removed.
const UNLINKING: u64 = i64::MAX as u64 - 2;

/// Makes the open file description of `file` the owner, if there is no other.
pub(super) fn own(file: &File) -> io::Result<bool> {
    try_lock(file, OWNER)
}

/// There is no owner from here on.
pub(super) fn disown(file: &File) -> io::Result<()> {
    unlock(file, OWNER)
}

/// Whether an open file description other than that of `file` is the owner.
pub(super) fn is_owned_elsewhere(file: &File) -> io::Result<bool> {
    is_locked_elsewhere(file, OWNER)
}

/// The right to remove the name; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Unlinking<'a>(&'a File);

impl<'a> Unlinking<'a> {
    /// `None` while another open file description has it.
    pub(super) fn begin(file: &'a File) -> io::Result<Option<Self>> {
        Ok(try_lock(file, UNLINKING)?.then_some(Self(file)))
    }
}

impl Drop for Unlinking<'_> {
    fn drop(&mut self) {
        unlock(self.0, UNLINKING).ok();
    }
}
