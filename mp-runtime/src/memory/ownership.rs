//! The duty to remove a name, on its way to another process.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    SharedMemory,
    wire::{receive, send},
};
use crate::{
    error::{Error, Result},
    shm::named::Segment,
};

/// A [`SharedMemory`] together with the ownership of its name, as a value that can be sent. Any other handle that is sent
/// arrives without.
///
/// The segment is owned without a gap: while the message is under way too. If it is lost, because nobody receives it or the
/// receiver is killed, the segment is an orphan ([`cleanup`](crate::cleanup)).
///
/// Its drop removes the name if it was never sent; if it was, and the message was lost by then, mostly too: not if this process is
/// starting another one at that moment, which is left as an orphan.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn produce() -> mp::Result<mp::Ownership> {
///     let memory = mp::SharedMemory::new(3)?;
///     memory.write(0, b"abc")?;
///     memory.into_ownership()
/// }
///
/// # fn main() -> mp::Result<()> {
/// let memory = mp::spawn(produce, ())?.join()??.into_memory();
/// assert!(memory.is_owner() && memory.is_linked()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping it removes the name, unless it was sent"]
pub struct Ownership {
    memory: SharedMemory,
    // After the memory, with which this process's hold on the owner's lock ends.
    last: Last,
}

impl Ownership {
    pub(super) fn new(memory: SharedMemory) -> Result<Self> {
        if !memory.is_owner() {
            let text = format!("this handle of shared memory '{}' does not own it", memory.name());
            return Err(Error::invalid(text));
        }
        let last = Last(Some(memory.name().to_owned()));
        Ok(Self { memory, last })
    }

    /// The handle, which owns the segment. If this value was sent before, so does the receiver's, and the first of both that
    /// is dropped removes the name.
    pub fn into_memory(self) -> SharedMemory {
        let Self { memory, mut last } = self;
        memory.0.claim();
        last.0 = None;
        memory
    }
}

impl Serialize for Ownership {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sent = send(self.memory.name(), self.memory.0.file(), serializer)?;
        self.memory.0.lend();
        Ok(sent)
    }
}

impl<'de> Deserialize<'de> for Ownership {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let owned = receive(deserializer)?.take_over().map_err(de::Error::custom)?;
        Self::new(SharedMemory(owned)).map_err(de::Error::custom)
    }
}

/// Removes the name of what was sent and lost: nobody has the owner's lock any more, neither this process, nor a message, nor its
/// receiver.
#[derive(Debug)]
struct Last(Option<String>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(name) = &self.0 {
            Segment::reclaim(name);
        }
    }
}
