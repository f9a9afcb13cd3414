//! A shared slice that is being written.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use bytemuck::Pod;

use super::{SharedSlice, elements, slice::no_memory};
use crate::{
    error::{Error, Result},
    shm::Building,
};

/// The least that is asked for when there is no room.
const LEAST: usize = 64 << 10;

/// A [`SharedSlice`] that is written in place before anybody else sees it.
///
/// It is this process's alone: an ordinary mutable slice that can also grow. [`freeze`](Self::freeze) makes a `SharedSlice` of it
/// without a copy. Who has the elements in a `Vec` or an iterator is better served by [`SharedSlice::from_slice`] and
/// [`SharedSlice::from_iter`], which take half the time for large ones, as no page of theirs is zeroed first.
///
/// All of the memory is there from the beginning (`fallocate(2)`): a want of it is an error of the call that asks, not a
/// signal at some later write, as far as the kernel says so beforehand.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn table(upto: usize) -> mp::Result<mp::SharedSlice<u64>> {
///     let mut squares = mp::SharedSliceMut::zeroed(upto)?;
///     for (n, square) in (0..).zip(squares.iter_mut()) {
///         *square = n * n;
///     }
///     squares.freeze()
/// }
///
/// # fn main() -> mp::Result<()> {
/// let squares = mp::spawn(table, (1_000_000,))?.join()??; // the child has ended; nothing was copied
/// assert_eq!(squares[999], 998_001);
/// # Ok(())
/// # }
/// ```
pub struct SharedSliceMut<T> {
    memory: Building,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Pod> SharedSliceMut<T> {
    /// `length` elements, all bytes of which are zero.
    ///
    /// # Errors
    ///
    /// EMFILE; ENOMEM or ENOSPC if the kernel has no memory for it and says so; EFBIG if the limit of file sizes (`ulimit -f`),
    /// which holds for such memory too, is lower; [`is_invalid_input`](Error::is_invalid_input) for more bytes than there
    /// are addresses.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// let error = mp::SharedSliceMut::<u64>::zeroed(1 << 50).unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(12)); // ENOMEM
    /// ```
    pub fn zeroed(length: usize) -> Result<Self> {
        Ok(Self { length, ..Self::with_capacity(length)? })
    }

    /// No elements, and room for `capacity` of them.
    ///
    /// # Errors
    ///
    /// Those of [`zeroed`](Self::zeroed).
    pub fn with_capacity(capacity: usize) -> Result<Self> {
        let bytes = elements::size_of::<T>(capacity)?;
        let memory = Building::new(bytes).map_err(no_memory)?;
        Ok(Self { memory, length: 0, element: PhantomData })
    }

    /// One more element at the end.
    ///
    /// # Errors
    ///
    /// Those of [`zeroed`](Self::zeroed), but for EMFILE, where there is no room and none to be had. Then nothing has changed.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let mut words = mp::SharedSliceMut::with_capacity(0)?;
    /// words.push(1_u32)?;
    /// words.extend_from_slice(&[2, 3])?;
    /// words.extend(4..=5)?;
    /// assert_eq!(words.freeze()?, [1, 2, 3, 4, 5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn push(&mut self, element: T) -> Result<()> {
        self.extend_from_slice(&[element])
    }

    /// Copies of `elements` at the end.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn extend_from_slice(&mut self, elements: &[T]) -> Result<()> {
        let start = self.length;
        self.reserve(elements.len())?;
        if let Some(room) = self.all_mut().get_mut(start..).and_then(|rest| rest.get_mut(..elements.len())) {
            room.copy_from_slice(elements);
            self.length += elements.len();
        }
        Ok(())
    }

    /// The elements of an iterator at the end.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push). What the iterator gave before stays.
    pub fn extend(&mut self, elements: impl IntoIterator<Item = T>) -> Result<()> {
        let mut elements = elements.into_iter();
        while let Some(element) = elements.next() {
            // It may promise too much.
            let promised = self.reserve(elements.size_hint().0.saturating_add(1));
            promised.or_else(|_| self.reserve(1))?;
            let start = self.length;
            let Some((first, rest)) = self.all_mut().get_mut(start..).and_then(<[T]>::split_first_mut) else { break };
            *first = element;
            let mut taken = 1;
            for (place, element) in rest.iter_mut().zip(elements.by_ref()) {
                *place = element;
                taken += 1;
            }
            self.length += taken;
        }
        Ok(())
    }

    /// Makes it immutable, and a value that can be sent. Nothing is copied; room that was not used is given back.
    ///
    /// It is unmapped, sealed and mapped again, as the kernel seals only what nobody can write to: for 64 MiB some 2 ms, and
    /// this process's next look at it costs as much as a first one.
    ///
    /// # Errors
    ///
    /// EBUSY if the kernel is still reading or writing the memory for this process: direct I/O or io_uring, from a buffer in it.
    /// The elements are lost then.
    pub fn freeze(self) -> Result<SharedSlice<T>> {
        let bytes = elements::size_of::<T>(self.length)?;
        let sealed = self.memory.seal(bytes);
        sealed.map(SharedSlice::new).map_err(|error| Error::os("seal shared memory", error))
    }

    /// Room for so many more.
    fn reserve(&mut self, more: usize) -> Result<()> {
        let needed = elements::size_of::<T>(self.length.saturating_add(more))?;
        let has = self.memory.length();
        if needed <= has {
            return Ok(());
        }
        // By half, so that a push costs the same however many there are; where that is too much, by what there may be.
        let wishes = [has / 2, 0].map(|more| needed.max(has + more.max(LEAST)));
        if wishes.iter().any(|wish| self.memory.grow(*wish).is_ok()) {
            return Ok(());
        }
        self.memory.grow(needed).map_err(no_memory)
    }

    fn all_mut(&mut self) -> &mut [T] {
        elements::of_mut(self.memory.bytes_mut())
    }
}

impl<T: Pod> Deref for SharedSliceMut<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        elements::of(self.memory.bytes()).get(..self.length).unwrap_or_default()
    }
}

impl<T: Pod> DerefMut for SharedSliceMut<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let length = self.length;
        self.all_mut().get_mut(..length).unwrap_or_default()
    }
}

impl<T: Pod> AsRef<[T]> for SharedSliceMut<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Pod> AsMut<[T]> for SharedSliceMut<T> {
    fn as_mut(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedSliceMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
