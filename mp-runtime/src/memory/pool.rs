//! Slices whose memory is used again.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use bytemuck::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    elements::{self, Came, Count},
    slice::no_memory,
};
use crate::{
    codec::Handle,
    error::{Error, Result},
    shm::{Lent, Loan, Room, Slot},
    sys::poll::{self, Deadline},
};

/// A few slices of one length that are written, lent to readers in any process, and written again.
///
/// For streams of large values: pictures, samples, tensors. Fresh memory costs more than what is written to it: the kernel zeroes it,
/// page by page. A pool does that once. [`take`](Self::take) gives a slice that nobody reads any more, to
/// write; [`lend`](PooledSliceMut::lend) makes it immutable and a value that can be sent, like a [`SharedSlice`](crate::SharedSlice);
/// when the last [`LentSlice`] of it is dropped, in all processes, it can be taken again. A reader that is killed, and
/// a message that nobody receives, give it back too: the kernel counts.
///
/// What keeps a slice from being changed under its readers is this library, in the process that lends it: no other process can
/// write to the memory at all (`memfd_create(2)`, `F_SEAL_FUTURE_WRITE`, Linux 5.1). So readers trust the program that lends.
/// Values for or from somebody who is not trusted go in a [`SharedSlice`](crate::SharedSlice), which nobody can
/// change.
///
/// A slice costs this process a descriptor, and one that is lent another two; a reader has two.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn brightest(frames: mp::Receiver<mp::LentSlice<u8>>) -> mp::Result<Vec<u8>> {
///     let _kept = mp::KeptMappings::new(2); // the same two come again and again
///     let mut found = Vec::new();
///     for frame in frames {
///         found.extend(frame?.iter().max()); // dropped here: it can be written again
///     }
///     Ok(found)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let mut pool = mp::SlicePool::new(640 * 480, 2)?; // one is written while the other is read
/// let (frames, receiver) = mp::channel()?;
/// let child = mp::spawn(brightest, (receiver,))?;
/// for shade in 0..10 {
///     let mut frame = pool.take()?; // waits for the reader, if it is two behind
///     frame.fill(shade);
///     frames.send(&frame.lend())?;
/// }
/// drop(frames);
/// assert_eq!(child.join()??, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
/// # Ok(())
/// # }
/// ```
pub struct SlicePool<T> {
    slots: Vec<Slot>,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Pod> SlicePool<T> {
    /// `slices` slices of `length` elements, all zero. Two let one side write while the other reads.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) for no slices, and for more bytes than there are addresses; EMFILE; ENOMEM or
    /// ENOSPC if the kernel has no memory for them and says so; EFBIG by the limit of file sizes (`ulimit -f`); EINVAL before
    /// Linux 5.1.
    pub fn new(length: usize, slices: usize) -> Result<Self> {
        if slices == 0 {
            return Err(Error::invalid("a pool of no slices has none to give"));
        }
        let bytes = elements::size_of::<T>(length)?;
        let slots = (0..slices).map(|_| Slot::new(bytes)).collect::<Result<_, _>>().map_err(no_memory)?;
        Ok(Self { slots, length, element: PhantomData })
    }

    /// A slice that nobody reads any more, with what was written to it last time; waits while there is none.
    ///
    /// It waits for every process that has a [`LentSlice`], and for this one: who keeps all of them waits for himself.
    ///
    /// # Errors
    ///
    /// EMFILE.
    pub fn take(&mut self) -> Result<PooledSliceMut<T>> {
        loop {
            if let Some(slice) = self.take_before(Deadline::NEVER)? {
                return Ok(slice);
            }
        }
    }

    /// [`take`](Self::take), but it waits no longer than `timeout`; `None` if there was none in time. A duration of zero
    /// does not wait; a process that is just being started may count as a reader for a moment.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let mut pool = mp::SlicePool::<u8>::new(100, 1)?;
    /// let lent = pool.take()?.lend();
    /// assert!(pool.take_timeout(Duration::ZERO)?.is_none());
    /// drop(lent);
    /// assert!(pool.take_timeout(Duration::from_secs(10))?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_timeout(&mut self, timeout: Duration) -> Result<Option<PooledSliceMut<T>>> {
        self.take_before(Deadline::after(timeout))
    }

    /// How many elements each slice has.
    #[must_use]
    pub fn slice_len(&self) -> usize {
        self.length
    }

    /// How many slices there are, free or not.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.slots.len()
    }

    fn take_before(&mut self, deadline: Deadline) -> Result<Option<PooledSliceMut<T>>> {
        let failed = |error| Error::os("take a slice from its pool", error);
        loop {
            for slot in &mut self.slots {
                if let Some(loan) = slot.take().map_err(failed)? {
                    return Ok(Some(PooledSliceMut { loan, element: PhantomData }));
                }
            }
            let leases: Vec<_> = self.slots.iter().filter_map(Slot::lease).collect();
            if !poll::any_hung_up(&leases, deadline).map_err(failed)? {
                return Ok(None);
            }
        }
    }
}

impl<T> fmt::Debug for SlicePool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlicePool").field("slices", &self.slots.len()).field("slice_len", &self.length).finish()
    }
}

/// A slice of a [`SlicePool`] that is being written. Dropped without having been lent, it is free again.
pub struct PooledSliceMut<T> {
    loan: Loan,
    element: PhantomData<T>,
}

impl<T: Pod> PooledSliceMut<T> {
    /// Makes it immutable until its last reader is done, and a value that can be sent. Costs nothing.
    #[must_use]
    pub fn lend(self) -> LentSlice<T> {
        LentSlice { lent: Arc::new(self.loan.lend()), element: PhantomData }
    }
}

impl<T: Pod> Deref for PooledSliceMut<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        elements::of(self.loan.bytes())
    }
}

impl<T: Pod> DerefMut for PooledSliceMut<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        elements::of_mut(self.loan.bytes_mut())
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for PooledSliceMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// A slice of a [`SlicePool`] that is being read, in any number of processes.
///
/// It does not change while it lives, and its memory is not written again before the last of them is dropped or its process has
/// ended. It outlives its pool. A send takes a few microseconds, whatever its size, and a clone is the
/// same slice.
pub struct LentSlice<T> {
    lent: Arc<Lent>,
    element: PhantomData<T>,
}

impl<T: Pod> Deref for LentSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        elements::of(self.lent.bytes())
    }
}

impl<T: Pod> AsRef<[T]> for LentSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

/// The same slice; costs no descriptor.
impl<T> Clone for LentSlice<T> {
    fn clone(&self) -> Self {
        Self { lent: Arc::clone(&self.lent), element: PhantomData }
    }
}

/// In messages of this library only: what arrives is another reader of the same slice.
impl<T: Pod> Serialize for LentSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [memfd, lease] = self.lent.descriptors().map(Handle::new);
        (memfd, lease, Count::of::<T>(self.len())).serialize(serializer)
    }
}

impl<'de, T: Pod> Deserialize<'de> for LentSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (memfd, lease, count) = <(Came, Came, Count)>::deserialize(deserializer)?;
        let (_, bytes) = count.check::<T, _>()?;
        let lent = Lent::receive(memfd.into_inner(), lease.into_inner(), bytes).map_err(de::Error::custom)?;
        Ok(Self { lent: Arc::new(lent), element: PhantomData })
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for LentSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// As long as it lives, this process keeps mapped what [`LentSlice`]s it has received: for one that comes again, that
/// saves a third of the time of a first look at it.
///
/// With it, memory may stay that its pool and all readers have dropped: the `slices` that were received last, of all pools. When it
/// is dropped, they go.
#[derive(Debug)]
#[must_use = "when it is dropped, nothing is kept any more"]
pub struct KeptMappings(#[expect(dead_code, reason = "its drop lets go of them")] Room);

impl KeptMappings {
    /// Keeps so many more; as many as the pools have slices is right.
    pub fn new(slices: usize) -> Self {
        Self(Room::new(slices))
    }
}
