//! A slice for everyone.

use std::{fmt, io, marker::PhantomData, ops::Deref, os::fd::AsFd, sync::Arc};

use bytemuck::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::elements::{self, Came, Count};
use crate::{
    codec::Handle,
    error::{Error, Result},
    shm::{Sealed, Writing},
};

/// As many bytes are collected before they are written.
const CHUNK: usize = 64 << 10;

/// An immutable slice that any number of processes read, each byte of which exists once.
///
/// It is a value like any other: an argument, a result, part of a message. What travels is a descriptor and a length, so
/// that a send takes the same few microseconds for a GiB as for a byte; the receiver maps the memory and copies nothing. A
/// clone is the same memory, too. The last one that is dropped, in all processes, gives it back, also when
/// they are killed: it has no name.
///
/// The memory is sealed (`memfd_create(2)`, `F_SEAL_WRITE`): nobody can change it, shrink it or undo that, not the process that made
/// it and not one that is hostile. Of a slice that comes in, seals, size and memory are checked before it is touched, so there
/// is nothing that a sender could do to its reader. Memory that is written again for every message, and
/// trusts the program for that, is [`SlicePool`](crate::SlicePool)'s.
///
/// Elements are plain data, any bytes of which are a value: numbers, arrays of them, and structs that derive
/// [`bytemuck::Pod`]. Elements without a size, and with an alignment of more than 4096, do not compile.
///
/// Each slice that a process has received or made costs it one descriptor, clones cost none. In any other serialiser (JSON, say) it
/// is an error.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn sum(numbers: mp::SharedSlice<f64>, from: usize, to: usize) -> f64 {
///     numbers[from..to].iter().sum()
/// }
///
/// # fn main() -> mp::Result<()> {
/// let numbers = mp::SharedSlice::from_iter((1..=1000).map(f64::from))?;
/// let lower = mp::spawn(sum, (numbers.clone(), 0, 500))?;
/// let upper = mp::spawn(sum, (numbers.clone(), 500, 1000))?;
/// assert_eq!(lower.join()? + upper.join()?, 500_500.0);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0080
/// # use multiprocess as mp;
/// mp::SharedSlice::from_slice(&[(); 3]); // elements without a size
/// ```
pub struct SharedSlice<T> {
    memory: Arc<Sealed>,
    element: PhantomData<T>,
}

impl<T: Pod> SharedSlice<T> {
    /// A copy of `elements`, written once, by the kernel.
    ///
    /// # Errors
    ///
    /// EMFILE; ENOMEM or ENOSPC if the kernel has no memory for it and says so; EFBIG if the limit of file sizes (`ulimit -f`),
    /// which holds for such memory too, is lower.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// assert_eq!(mp::SharedSlice::from_slice(&[1, 2, 3])?, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        elements::size_of::<T>(elements.len())?;
        let mut writing = Writing::new().map_err(no_memory)?;
        writing.write(bytemuck::cast_slice(elements)).map_err(no_memory)?;
        Self::sealed(writing)
    }

    /// [`from_slice`](Self::from_slice), and drops the `Vec`.
    ///
    /// # Errors
    ///
    /// As there.
    #[expect(clippy::needless_pass_by_value, reason = "its memory is given back here, not when the caller ends")]
    pub fn from_vec(elements: Vec<T>) -> Result<Self> {
        Self::from_slice(&elements)
    }

    /// The elements that an iterator gives, however many they are. There is never another copy of all of them.
    ///
    /// Not the trait's method of that name: there may be no memory for them.
    ///
    /// # Errors
    ///
    /// Those of [`from_slice`](Self::from_slice).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let odd = mp::SharedSlice::from_iter((0..100_u32).filter(|n| n % 2 == 1))?;
    /// assert_eq!(odd.len(), 50);
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::should_implement_trait, reason = "that cannot fail, and this can")]
    pub fn from_iter(elements: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut writing = Writing::new().map_err(no_memory)?;
        let (mut elements, room) = (elements.into_iter(), (CHUNK / size_of::<T>().max(1)).max(1));
        let mut chunk = Vec::with_capacity(room);
        loop {
            chunk.clear();
            chunk.extend(elements.by_ref().take(room));
            if chunk.is_empty() {
                break;
            }
            writing.write(bytemuck::cast_slice(&chunk)).map_err(no_memory)?;
        }
        elements::size_of::<T>(0)?;
        Self::sealed(writing)
    }

    fn sealed(writing: Writing) -> Result<Self> {
        writing.seal().map(Self::new).map_err(|error| Error::os("seal shared memory", error))
    }

    pub(super) fn new(memory: Sealed) -> Self {
        Self { memory: Arc::new(memory), element: PhantomData }
    }
}

/// It could not be made or written.
#[cold]
pub(super) fn no_memory(error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EFBIG) => {
            Error::os("get shared memory, whose size the limit of file sizes (`ulimit -f`) holds for", error)
        }
        _ => Error::os("get shared memory", error),
    }
}

impl<T: Pod> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        elements::of(self.memory.bytes())
    }
}

impl<T: Pod> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

/// The same memory; costs no descriptor.
impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        Self { memory: Arc::clone(&self.memory), element: PhantomData }
    }
}

impl<'a, T: Pod> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Pod> TryFrom<Vec<T>> for SharedSlice<T> {
    type Error = Error;

    fn try_from(elements: Vec<T>) -> Result<Self> {
        Self::from_vec(elements)
    }
}

impl<T: Pod> TryFrom<&[T]> for SharedSlice<T> {
    type Error = Error;

    fn try_from(elements: &[T]) -> Result<Self> {
        Self::from_slice(elements)
    }
}

/// By what is in them.
impl<T: Pod + PartialEq> PartialEq for SharedSlice<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Pod + Eq> Eq for SharedSlice<T> {}

impl<T: Pod + PartialEq> PartialEq<[T]> for SharedSlice<T> {
    fn eq(&self, other: &[T]) -> bool {
        **self == *other
    }
}

impl<T: Pod + PartialEq, const N: usize> PartialEq<[T; N]> for SharedSlice<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        **self == *other
    }
}

impl<T: Pod + PartialEq> PartialEq<Vec<T>> for SharedSlice<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        **self == **other
    }
}

/// In messages of this library only: what arrives is another mapping of the same memory.
impl<T: Pod> Serialize for SharedSlice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (Handle::new(self.memory.as_fd()), Count::of::<T>(self.len())).serialize(serializer)
    }
}

impl<'de, T: Pod> Deserialize<'de> for SharedSlice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (memfd, count) = <(Came, Count)>::deserialize(deserializer)?;
        let (_, bytes) = count.check::<T, _>()?;
        Sealed::receive(memfd.into_inner(), bytes).map(Self::new).map_err(de::Error::custom)
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
