//! Many values under one lock.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use bytemuck::Pod;

use super::storage;
use crate::{
    error::{Error, LockError, Result, RobustGuard},
    shm::{
        Extent,
        cells::{Borrowed, bytes_for},
        layouts::ArrayPart,
    },
    sync::{handle, take},
    sys::{poll::Deadline, pthread_key},
};

/// Values of one type under one lock, of a number that does not change: Python's `Array`.
///
/// Clones, and what arrives where it is sent, are the same array. `T` is plain data, as in a [`Value`](crate::Value).
///
/// The elements are worked on in place, with the lock held. If a process is killed while it does, the next one gets
/// [`LockError::OwnerDied`], and decides: what the dead one was at may be half done.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn normalise(array: mp::Array<f64>) -> mp::Result<()> {
///     let mut values = array.lock()?;
///     let sum: f64 = values.iter().sum();
///     values.iter_mut().for_each(|value| *value /= sum);
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let array = mp::Array::from_slice(&[1.0, 3.0])?;
/// mp::spawn(normalise, (array.clone(),))?.join()??;
/// assert_eq!(array.to_vec()?, [0.25, 0.75]);
/// # Ok(())
/// # }
/// ```
pub struct Array<T: Pod> {
    shared: Arc<Extent<ArrayPart>>,
    element: PhantomData<T>,
}

handle!(Array<T: Pod>, |array, serializer| storage::serialize(array, serializer), |deserializer| storage::deserialize(deserializer));

impl<T: Pod> Array<T> {
    /// So many values, all zero.
    ///
    /// # Errors
    ///
    /// Memory is used up; a `T` without a size; others as [`Lock::new`](crate::Lock::new). Beyond 64 KiB an array has a descriptor of
    /// its own, and all of its memory from the beginning.
    pub fn new(length: usize) -> Result<Self> {
        let bytes = bytes_for::<T>(length).filter(|_| size_of::<T>() > 0);
        let Some(bytes) = bytes else {
            return Err(Error::invalid(format!("an array of {length} values of {} bytes cannot be", size_of::<T>())));
        };
        Ok(Self::from_shared(Arc::new(Extent::new(bytes)?)))
    }

    /// As many values as `values` has, and the same.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_slice(values: &[T]) -> Result<Self> {
        let array = Self::new(values.len())?;
        array.lock()?.copy_from_slice(values);
        Ok(array)
    }

    /// Takes the lock; blocks until nobody else holds it. The guard is the elements. Python's `get_lock()` and `get_obj()`.
    ///
    /// # Errors
    ///
    /// As [`Lock::lock`](crate::Lock::lock).
    pub fn lock(&self) -> Result<ArrayGuard<'_, T>, LockError<ArrayGuard<'_, T>>> {
        self.lock_by(Deadline::NEVER)
    }

    /// Takes the lock if nobody holds it now.
    ///
    /// # Errors
    ///
    /// As [`Lock::try_lock`](crate::Lock::try_lock).
    pub fn try_lock(&self) -> Result<ArrayGuard<'_, T>, LockError<ArrayGuard<'_, T>>> {
        self.lock_by(Deadline::after(Duration::ZERO))
    }

    /// Takes the lock; blocks until nobody else holds it, but not longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Lock::lock_timeout`](crate::Lock::lock_timeout).
    pub fn lock_timeout(&self, timeout: Duration) -> Result<ArrayGuard<'_, T>, LockError<ArrayGuard<'_, T>>> {
        self.lock_by(Deadline::after(timeout))
    }

    /// Calls `change` with the elements and the lock held. Returns what it does. Blocks as [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock); `change` was then not called.
    pub fn with<R>(&self, change: impl FnOnce(&mut [T]) -> R) -> Result<R> {
        Ok(change(&mut self.lock()?))
    }

    /// The element at `index`. Blocks as [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// There is none (Python's `IndexError`); others as [`lock`](Self::lock). After a death too, which leaves no guard to give
    /// back: until somebody has taken the lock and said that all is well.
    pub fn get(&self, index: usize) -> Result<T> {
        self.lock()?.get(index).copied().ok_or_else(|| self.out_of_range(index))
    }

    /// Replaces the element at `index`. Blocks as [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        *self.lock()?.get_mut(index).ok_or_else(|| self.out_of_range(index))? = value;
        Ok(())
    }

    /// A copy of all elements, as they are at one moment. Blocks as [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        Ok(self.lock()?.to_vec())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        Borrowed::<T>::length(&self.shared)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock_by(&self, deadline: Deadline) -> Result<ArrayGuard<'_, T>, LockError<ArrayGuard<'_, T>>> {
        pthread_key::watch().map_err(|error| LockError::Os(Error::os("watch for the end of the thread", error)))?;
        let guard = || ArrayGuard(Borrowed::new(&self.shared));
        match take(&self.shared.mutex, deadline) {
            Ok(()) => Ok(guard()),
            Err(error) => Err(error.map(|()| guard())),
        }
    }

    fn out_of_range(&self, index: usize) -> Error {
        Error::invalid(format!("there is no element {index} in an array of {}", self.len()))
    }

    fn from_shared(shared: Arc<Extent<ArrayPart>>) -> Self {
        Self { shared, element: PhantomData }
    }

    fn received(shared: Arc<Extent<ArrayPart>>) -> Result<Self> {
        let room = bytes_for::<T>(0).and_then(|least| shared.bytes().checked_sub(least));
        match room.and_then(|room| room.checked_rem(size_of::<T>())) {
            Some(0) => Ok(Self::from_shared(shared)),
            _ => Err(Error::decode(format!("the array that came is not of values of {} bytes", size_of::<T>()))),
        }
    }
}

/// Says how many elements there are and who holds the lock.
impl<T: Pod> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("length", &self.len()).field("holder", &self.shared.mutex.holder()).finish()
    }
}

/// The elements of an [`Array`], whose lock it holds; releases it when dropped, be it by a panic.
#[must_use = "the lock is released at once if its guard is dropped"]
pub struct ArrayGuard<'a, T: Pod>(Borrowed<'a, T>);

impl<T: Pod> ArrayGuard<'_, T> {
    /// Says that the elements are in order again after a holder died: the next taker hears nothing of it any more.
    pub fn mark_consistent(&self) {
        self.0.mutex().mark_consistent();
    }
}

impl<T: Pod> RobustGuard for ArrayGuard<'_, T> {
    fn mark_consistent(&self) {
        self.mark_consistent();
    }
}

impl<T: Pod> Deref for ArrayGuard<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Pod> DerefMut for ArrayGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
