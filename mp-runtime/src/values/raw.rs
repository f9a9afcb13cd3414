//! Memory of atomics, without a lock.

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

use super::storage;
use crate::{
    error::{Error, Result},
    shm::{Atomic, Extent, cells::atomics, layouts::RawPart},
    sync::handle,
};

/// An atomic number that several processes see, one of std's integers: Python's `RawValue`, with operations that cannot tear or get lost.
///
/// Clones, and what arrives where it is sent, are the same number. It is the atomic itself: no lock, nothing to be left behind by
/// who is killed.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn count(total: mp::RawValue<AtomicU64>) {
///     total.fetch_add(1, Relaxed);
/// }
///
/// # fn main() -> mp::Result<()> {
/// let total = mp::RawValue::<AtomicU64>::new(0)?;
/// mp::spawn(count, (total.clone(),))?.join()?;
/// assert_eq!(total.load(Relaxed), 1);
/// # Ok(())
/// # }
/// ```
pub struct RawValue<A: Atomic>(RawArray<A>);

impl<A: Atomic> RawValue<A> {
    /// A new number.
    ///
    /// # Errors
    ///
    /// As [`Lock::new`](crate::Lock::new).
    pub fn new(number: A::Number) -> Result<Self> {
        RawArray::from_slice(&[number]).map(Self)
    }
}

impl<A: Atomic> Deref for RawValue<A> {
    type Target = A;

    #[inline]
    fn deref(&self) -> &A {
        // There is one: `new` made it, `deserialize` looked.
        &self.0[0]
    }
}

/// Atomic numbers that several processes see: Python's `RawArray`, with operations that cannot tear or get lost.
///
/// Clones, and what arrives where it is sent, are the same numbers.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn tally(bins: mp::RawArray<AtomicU32>, words: Vec<String>) {
///     for word in words {
///         bins[word.len()].fetch_add(1, Relaxed);
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let bins = mp::RawArray::<AtomicU32>::new(8)?;
/// mp::spawn(tally, (bins.clone(), vec!["to".to_owned(), "be".to_owned()]))?.join()?;
/// assert_eq!(bins[2].load(Relaxed), 2);
/// # Ok(())
/// # }
/// ```
pub struct RawArray<A: Atomic> {
    shared: Arc<Extent<RawPart>>,
    element: PhantomData<A>,
}

handle!(RawArray<A: Atomic>, |raw, serializer| storage::serialize(raw, serializer), |deserializer| storage::deserialize(deserializer));

impl<A: Atomic> RawArray<A> {
    /// So many numbers, all zero.
    ///
    /// # Errors
    ///
    /// Memory is used up; others as [`Lock::new`](crate::Lock::new). Beyond 64 KiB they have a descriptor of their own, and all of their
    /// memory from the beginning.
    pub fn new(length: usize) -> Result<Self> {
        let Some(bytes) = length.checked_mul(size_of::<A>()) else {
            return Err(Error::invalid(format!("{length} numbers are more than memory has")));
        };
        Ok(Self::from_shared(Arc::new(Extent::new(bytes)?)))
    }

    /// As many numbers as `numbers` has, and the same.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_slice(numbers: &[A::Number]) -> Result<Self> {
        let new = Self::new(numbers.len())?;
        for (atomic, number) in new.iter().zip(numbers) {
            atomic.set(*number);
        }
        Ok(new)
    }

    fn from_shared(shared: Arc<Extent<RawPart>>) -> Self {
        Self { shared, element: PhantomData }
    }

    fn received(shared: Arc<Extent<RawPart>>) -> Result<Self> {
        if !shared.bytes().is_multiple_of(size_of::<A>()) {
            return Err(Error::decode("the raw memory that came is not of numbers of this size"));
        }
        Ok(Self::from_shared(shared))
    }
}

impl<A: Atomic> Deref for RawArray<A> {
    type Target = [A];

    #[inline]
    fn deref(&self) -> &[A] {
        atomics(&self.shared)
    }
}

impl<A: Atomic> Clone for RawValue<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Atomic> serde::Serialize for RawValue<A> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, A: Atomic> serde::Deserialize<'de> for RawValue<A> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let array: RawArray<A> = serde::Deserialize::deserialize(deserializer)?;
        if array.len() == 1 { Ok(Self(array)) } else { Err(serde::de::Error::custom("not one number came")) }
    }
}

impl<A: Atomic + fmt::Debug> fmt::Debug for RawValue<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawValue").field(&**self).finish()
    }
}

impl<A: Atomic + fmt::Debug> fmt::Debug for RawArray<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawArray").field(&&**self).finish()
    }
}
