//! A scope for shared memory by name.

use std::sync::{Mutex, PoisonError};

use nix::libc;

use super::{ListItem, ShareableList, SharedMemory};
use crate::error::Result;

/// Removes the names of all that was created through it when it is dropped.
///
/// What Python's [`SharedMemoryManager`](https://docs.python.org/3/library/multiprocessing.shared_memory.html#multiprocessing.managers.SharedMemoryManager)
/// needs a server process for, which tracks the names and does not survive SIGKILL: here the names have an owner, and are
/// orphans if this process is killed ([`cleanup`](crate::cleanup)).
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// # fn main() -> mp::Result<()> {
/// let manager = mp::SharedMemoryManager::new();
/// let memory = manager.shared_memory(1 << 20)?;
/// let list = manager.shareable_list([1, 2, 3])?;
/// assert_eq!(list.len(), 3);
/// drop(memory); // the name stays for other processes
/// drop(manager);
/// assert!(!list.shared_memory().is_linked()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct SharedMemoryManager(Mutex<Vec<SharedMemory>>);

impl SharedMemoryManager {
    /// A manager of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Creates a segment as [`SharedMemory::new`] does. The manager is its owner, and the handle is not.
    ///
    /// # Errors
    ///
    /// Those of [`SharedMemory::new`].
    pub fn shared_memory(&self, size: usize) -> Result<SharedMemory> {
        self.keep(SharedMemory::new(size)?)
    }

    /// Creates a list as [`ShareableList::new`] does. The manager is its owner, and the handle is not.
    ///
    /// # Errors
    ///
    /// Those of [`ShareableList::new`].
    pub fn shareable_list<I: Into<ListItem>>(&self, items: impl IntoIterator<Item = I>) -> Result<ShareableList> {
        ShareableList::from_shared_memory(self.keep(ShareableList::new(items)?.into_shared_memory())?)
    }

    /// Removes the names now. As its drop, but errors are told.
    ///
    /// # Errors
    ///
    /// The first one of [`SharedMemory::unlink`]; the other names are removed all the same. A name that is gone already is none.
    pub fn shutdown(self) -> Result<()> {
        let owned = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = Ok(());
        for memory in owned {
            match memory.unlink() {
                Err(error) if error.raw_os_error() != Some(libc::ENOENT) && outcome.is_ok() => outcome = Err(error),
                _ => {}
            }
        }
        outcome
    }

    fn keep(&self, memory: SharedMemory) -> Result<SharedMemory> {
        let attached = memory.0.attach().map(SharedMemory)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        Ok(attached)
    }
}
