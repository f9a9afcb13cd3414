//! Shared memory by name.

use std::fmt;

use bytemuck::Pod;

use super::Ownership;
use crate::{
    error::{Error, Result},
    shm::{
        Atomic,
        named::{self, Segment},
    },
};

/// Shared memory that has a name: the segments of `shm_open(3)`, which CPython's
/// [`shared_memory.SharedMemory`](https://docs.python.org/3/library/multiprocessing.shared_memory.html) creates and opens too.
///
/// Between processes that exchange messages no name is needed: a handle is a value, and what arrives is a handle of the
/// same memory, even if the name is gone. Dropping a handle is CPython's `close()`.
///
/// A handle is not `Clone`: an argument is moved, and if it was the owner the name goes with it. For one more handle,
/// [`open`](Self::open) the [`name`](Self::name); a [`Sender`](crate::Sender) takes any handle by reference, as often as wanted.
///
/// # Who removes it
///
/// The handle that [`new`](Self::new) or [`create`](Self::create) returned *owns* the segment: when it is dropped, or its
/// process ends normally, the name is removed. Handles that were opened, or came in a message, never own. The memory itself lives
/// as long as any process has it open. [`persist`](Self::persist) leaves the name for good, [`into_ownership`](Self::into_ownership)
/// makes another process the owner.
///
/// When the owner is killed, the segment is left as an orphan. It is removed by whoever creates one of that name next, by
/// [`cleanup`], and if its name was a random one by the first [`new`](Self::new) of any process of that user. Which owner is
/// alive is the kernel's knowledge: a lock of the owner's open file description (`fcntl_locking(2)`, `F_OFD_SETLK`). A segment
/// of another program, such as CPython, is never taken for an orphan. To tell these apart takes Linux 6.6 or a `/dev/shm` with
/// access control lists; where there is neither, no orphan is removed.
///
/// # Its content
///
/// Other processes may write at any time, so there is no `&[u8]` of it. [`read`](Self::read) and [`write`](Self::write) copy:
/// a system call each, and no promise about a range that is written at the same time. [`as_atomic`](Self::as_atomic)
/// is the memory itself.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn sum(numbers: mp::SharedMemory) -> mp::Result<f64> {
///     let mut values = [0.0_f64; 1000];
///     numbers.read(0, &mut values)?;
///     Ok(values.iter().sum())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let numbers = mp::SharedMemory::new(8000)?;
/// println!("CPython opens it by SharedMemory({:?})", numbers.name());
/// numbers.write(0, &[0.5_f64; 1000])?;
///
/// let child = mp::spawn(sum, (numbers,))?; // the argument was the owner, and is dropped: the name is gone
/// assert_eq!(child.join()??, 500.0); // the memory is not
/// # Ok(())
/// # }
/// ```
pub struct SharedMemory(pub(super) Segment);

impl SharedMemory {
    /// Creates a segment of `size` bytes, all zero, with a name that no other has: `psm_` and eight hexadecimal digits, as
    /// CPython chooses them. The handle owns it.
    ///
    /// The first call in a process also removes the orphans that have such names.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if `size` is 0. ENOSPC if `/dev/shm` is full: all of the memory is
    /// reserved here, so that it cannot be missing later. EFBIG if it is more than RLIMIT_FSIZE (`ulimit -f`) allows.
    /// [`is_unsupported`](Error::is_unsupported) where `/dev/shm` is no tmpfs.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(100)?;
    /// assert_eq!((memory.size(), memory.name().len()), (100, 12));
    /// assert!(mp::SharedMemory::new(0).unwrap_err().is_invalid_input());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(size: usize) -> Result<Self> {
        Self::make(None, size, &[])
    }

    /// Creates a segment of that name and of `size` bytes, all zero, of mode 0600. The handle owns it. An orphan of that name
    /// is removed first.
    ///
    /// The name appears in one step: who opens it sees all of the memory or gets ENOENT.
    ///
    /// # Errors
    ///
    /// EEXIST if the name is taken. [`is_invalid_input`](Error::is_invalid_input) if the name is empty, longer than 255 bytes,
    /// or contains a slash or a NUL byte. Those of [`new`](Self::new).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// # let name = &format!("mp-doc-create-{}", std::process::id());
    /// let memory = mp::SharedMemory::create(name, 16)?;
    /// assert_eq!(mp::SharedMemory::create(name, 16).unwrap_err().raw_os_error(), Some(17)); // EEXIST
    /// drop(memory);
    /// mp::SharedMemory::create(name, 16)?;
    /// assert!(mp::SharedMemory::create("/a/path", 16).unwrap_err().is_invalid_input());
    /// # Ok(())
    /// # }
    /// ```
    pub fn create(name: &str, size: usize) -> Result<Self> {
        Self::make(Some(name), size, &[])
    }

    /// Creates a segment of that name that holds `content` from the first moment on that others can see it.
    ///
    /// # Errors
    ///
    /// Those of [`create`](Self::create), where the size is that of `content`.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// # let name = &format!("mp-doc-filled-{}", std::process::id());
    /// let memory = mp::SharedMemory::create_filled(name, &[1_u16, 2, 3])?;
    /// assert_eq!(memory.size(), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_filled<T: Pod>(name: &str, content: &[T]) -> Result<Self> {
        Self::make(Some(name), size_of_val(content), bytemuck::cast_slice(content))
    }

    pub(super) fn make(name: Option<&str>, size: usize, content: &[u8]) -> Result<Self> {
        Segment::create(name, size, content).map(Self).map_err(|error| {
            error.context(match name {
                Some(name) => format!("cannot create shared memory '{name}'"),
                None => "cannot create shared memory".to_owned(),
            })
        })
    }

    /// Opens the segment of that name, whoever created it. The handle does not own it, not even if the owner has died.
    ///
    /// # Errors
    ///
    /// ENOENT if there is none, EACCES if it belongs to another user. [`is_invalid_input`](Error::is_invalid_input) as
    /// for [`create`](Self::create). An error without a number if it has no bytes: CPython creates a name first, and gives it a
    /// size later.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(3)?;
    /// memory.write(0, b"abc")?;
    /// let other = mp::SharedMemory::open(memory.name())?;
    /// assert_eq!(other.to_vec()?, b"abc");
    /// assert!(memory.is_owner() && !other.is_owner());
    ///
    /// drop(memory);
    /// assert_eq!(mp::SharedMemory::open(other.name()).unwrap_err().raw_os_error(), Some(2)); // ENOENT
    /// assert_eq!(other.to_vec()?, b"abc"); // still there
    /// # Ok(())
    /// # }
    /// ```
    pub fn open(name: &str) -> Result<Self> {
        Segment::open(name)
            .map(Self)
            .map_err(|error| error.context(format!("cannot open shared memory '{}'", name.escape_debug())))
    }

    /// The name, without a slash: what [`open`](Self::open) and CPython's `SharedMemory(name)` take.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The size in bytes: just what it was created with.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Whether the name is removed when this handle is dropped.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.0.is_owner()
    }

    /// Whether the segment has an owner whose process lives. False for an orphan, and for a segment that never had an owner,
    /// as those of CPython, or was [persisted](Self::persist).
    ///
    /// # Errors
    ///
    /// The kernel's, from `fcntl(2)`.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(1)?;
    /// let other = mp::SharedMemory::open(memory.name())?;
    /// assert!(other.has_owner()?);
    /// drop(memory);
    /// assert!(!other.has_owner()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn has_owner(&self) -> Result<bool> {
        self.0.has_owner().map_err(|error| self.failed("look who owns", error))
    }

    /// Whether the [name](Self::name) leads to this memory. It does not after [`unlink`](Self::unlink), by whomever; nor
    /// when another segment has got the name since.
    ///
    /// A CPython before 3.13 that has opened a segment removes its name when it exits
    /// ([issue 82300](https://github.com/python/cpython/issues/82300)): this is how its owner can tell.
    ///
    /// # Errors
    ///
    /// The kernel's, from `stat(2)`.
    pub fn is_linked(&self) -> Result<bool> {
        self.0.is_linked().map_err(|error| self.failed("look for the name of", error))
    }

    /// Copies what is at `offset` (in bytes) into `values`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if that is not all inside. An error without a number if another process
    /// has cut the file.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(24)?;
    /// memory.write(8, &[1.5, 2.5])?;
    /// let mut values = [0.0; 2];
    /// memory.read(8, &mut values)?;
    /// assert_eq!(values, [1.5, 2.5]);
    /// assert!(memory.read(16, &mut values).unwrap_err().is_invalid_input());
    /// # Ok(())
    /// # }
    /// ```
    pub fn read<T: Pod>(&self, offset: usize, values: &mut [T]) -> Result<()> {
        self.0.read(offset, bytemuck::cast_slice_mut(values))
    }

    /// Copies `values` to `offset` (in bytes).
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if there is no room for all of them; then nothing is written. EFBIG if
    /// their end is beyond RLIMIT_FSIZE (`ulimit -f`), ENOSPC if another process made the file with holes, and
    /// there is no memory to fill them.
    pub fn write<T: Pod>(&self, offset: usize, values: &[T]) -> Result<()> {
        self.0.write(offset, bytemuck::cast_slice(values))
    }

    /// The value at `offset` (in bytes), which may be any.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(24)?;
    /// memory.write_at(3, -7_i64)?;
    /// assert_eq!(memory.read_at::<i64>(3)?, -7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn read_at<T: Pod>(&self, offset: usize) -> Result<T> {
        let mut value = T::zeroed();
        self.0.read(offset, bytemuck::bytes_of_mut(&mut value))?;
        Ok(value)
    }

    /// Writes one value to `offset` (in bytes), which may be any.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub fn write_at<T: Pod>(&self, offset: usize, value: T) -> Result<()> {
        self.0.write(offset, bytemuck::bytes_of(&value))
    }

    /// A copy of all of it.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read); an error without a number if this process has no room for so much.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        self.0.to_vec()
    }

    /// The memory itself, as atomics; bytes at the end that are less than one are not seen.
    ///
    /// It is mapped when this is first called, once for each width. While it is in use, another process of this user's
    /// that cuts the file ends this one by SIGBUS (`mmap(2)`); neither this library nor CPython ever does that. So
    /// does a lack of memory where another program made the segment, and has not written all of it yet.
    ///
    /// # Errors
    ///
    /// The kernel's, from `mmap(2)`; one without a number if another process has cut the file already.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    ///
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn count(counters: mp::SharedMemory) -> mp::Result<()> {
    ///     for counter in counters.as_atomic::<AtomicU64>()? {
    ///         counter.fetch_add(1, Relaxed);
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let counters = mp::SharedMemory::new(80)?;
    /// let copies = (0..2).map(|_| mp::SharedMemory::open(counters.name())).collect::<Result<Vec<_>, _>>()?;
    /// let children = copies.into_iter().map(|copy| mp::spawn(count, (copy,))).collect::<Result<Vec<_>, _>>()?;
    /// for child in children {
    ///     child.join()??;
    /// }
    /// assert!(counters.as_atomic::<AtomicU64>()?.iter().all(|counter| counter.load(Relaxed) == 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_atomic<A: Atomic>(&self) -> Result<&[A]> {
        self.0.atoms().map_err(|error| self.failed("map", error))
    }

    /// Removes the name, owner or not. Who has the memory open keeps it.
    ///
    /// # Errors
    ///
    /// ENOENT if the [name does not lead here](Self::is_linked), so also the second time; EACCES or EPERM if it may not be removed.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let memory = mp::SharedMemory::new(1)?;
    /// memory.unlink()?;
    /// assert_eq!(memory.unlink().unwrap_err().raw_os_error(), Some(2)); // ENOENT
    /// memory.write_at(0, 1_u8)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn unlink(&self) -> Result<()> {
        self.0.unlink().map_err(|error| self.failed("unlink", error))
    }

    /// From here on nobody owns the segment: its name stays until somebody [unlinks](Self::unlink) it, or the machine is
    /// started anew. As with CPython's segments. Does nothing if this handle is not the owner.
    ///
    /// # Errors
    ///
    /// The kernel's, from `fremovexattr(2)` and `fcntl(2)`; then it is still owned.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let mut memory = mp::SharedMemory::new(1)?;
    /// memory.persist()?;
    /// let name = memory.name().to_owned();
    /// drop(memory);
    /// mp::SharedMemory::open(&name)?.unlink()
    /// # }
    /// ```
    pub fn persist(&mut self) -> Result<()> {
        self.0.persist().map_err(|error| self.failed("persist", error))
    }

    /// Makes the duty to remove the name a value that can be sent.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if this handle is not the owner.
    pub fn into_ownership(self) -> Result<Ownership> {
        Ownership::new(self)
    }

    fn failed(&self, doing: &str, error: std::io::Error) -> Error {
        Error::os(format!("{doing} shared memory '{}'", self.name()), error)
    }
}

/// Name, size, and whether it is the owner.
impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory")
            .field("name", &self.name())
            .field("size", &self.size())
            .field("is_owner", &self.is_owner())
            .finish()
    }
}

/// Removes the names of all segments whose owner has died without removing them, and returns these, sorted.
///
/// Only segments of this user's that were created by this library are meant; one whose owner lives is left alone, in
/// whatever container or PID namespace that is, and so is one that was [persisted](SharedMemory::persist). Any number of
/// processes may do this at the same time: each orphan is in the answer of one of them. Who has an orphan open keeps its
/// memory.
///
/// It looks at every name in `/dev/shm` once, and waits for nothing.
///
/// # Errors
///
/// The kernel's, where `/dev/shm` cannot be read, or this process has no room for another descriptor.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn crash(name: String) {
///     let _memory = mp::SharedMemory::create(&name, 100).unwrap();
///     std::process::abort();
/// }
///
/// # fn main() -> mp::Result<()> {
/// # let name = format!("mp-doc-cleanup-{}", std::process::id());
/// mp::spawn(crash, (name.clone(),))?.join().unwrap_err();
/// mp::cleanup()?;
/// assert!(mp::SharedMemory::open(&name).is_err());
/// # Ok(())
/// # }
/// ```
pub fn cleanup() -> Result<Vec<String>> {
    named::cleanup(|_| true).map_err(|error| Error::os("clean up /dev/shm", error))
}
