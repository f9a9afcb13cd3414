//! How shared memory looks in a message: its name, and a descriptor beside the bytes.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::SharedMemory;
use crate::{codec::Handle, error::Result, shm::named::Segment};

/// Sends a handle that does not own the segment. Only in messages of this crate.
impl Serialize for SharedMemory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.is_owner() {
            return send(self.name(), self.0.file(), serializer);
        }
        // Who has the owner's open file description has its lock.
        let file = self.0.reopen().map_err(|error| {
            ser::Error::custom(format_args!("shared memory '{}' cannot be opened once more: {error}", self.name()))
        })?;
        send(self.name(), &file, serializer)
    }
}

impl<'de> Deserialize<'de> for SharedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(receive(deserializer)?))
    }
}

/// Puts a segment into a message, by a copy of this very descriptor.
pub(super) fn send<S: Serializer>(name: &str, file: &File, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct SharedMemory<'a> {
        name: &'a str,
        fd: Handle<BorrowedFd<'a>>,
    }

    SharedMemory { name, fd: Handle::new(file.as_fd()) }.serialize(serializer)
}

/// Takes it out again.
pub(super) fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Segment, D::Error> {
    #[derive(Deserialize)]
    struct SharedMemory {
        name: String,
        fd: Handle<OwnedFd>,
    }

    let SharedMemory { name, fd } = SharedMemory::deserialize(deserializer)?;
    Segment::from_fd(fd.into_inner(), name).map_err(de::Error::custom)
}
