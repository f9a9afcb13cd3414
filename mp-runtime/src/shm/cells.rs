//! Plain data behind a part: as words, as atomics, or borrowed under the part's lock.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
    sync::atomic::AtomicU64,
};

use bytemuck::Pod;

use super::{
    Atomic, Extent,
    arena::{Part, Shared},
    layouts::{ArrayPart, RawPart},
};
use crate::sys::{pthread_key, robust_mutex::RobustMutex};

/// What lies behind a part, as words.
#[inline]
pub(crate) fn words<P: Part>(shared: &Shared<P>) -> &[AtomicU64] {
    // SAFETY: the bytes behind a part are aligned to eight, as many as said, mapped as long as `shared`; atomics take any bytes.
    unsafe { slice::from_raw_parts(shared.behind_address().cast().as_ptr(), shared.behind() / size_of::<u64>()) }
}

/// What lies in raw memory, as atomics.
#[inline]
pub(crate) fn atomics<A: Atomic>(raw: &Extent<RawPart>) -> &[A] {
    // SAFETY: as in `words`; `Atomic` says that any bytes are one, and eight bytes' alignment is enough.
    unsafe { slice::from_raw_parts(raw.address().cast().as_ptr(), raw.bytes() / size_of::<A>()) }
}

/// Mappings begin at a page, in each process at another one: beyond this alignment the elements would not have the same
/// place in all of them.
const MAX_ALIGNMENT: usize = 4096;

/// How many bytes are enough for `count` of `T`, wherever the first may have to begin for its alignment.
pub(crate) fn bytes_for<T>(count: usize) -> Option<usize> {
    if align_of::<T>() > MAX_ALIGNMENT {
        return None;
    }
    count.checked_mul(size_of::<T>())?.checked_add(padding_of::<T>())
}

const fn padding_of<T>() -> usize {
    align_of::<T>().saturating_sub(align_of::<u64>())
}

/// An array's elements, lent to whoever holds its lock.
pub(crate) struct Borrowed<'a, T> {
    mutex: &'a RobustMutex,
    first: NonNull<T>,
    count: usize,
    /// The kernel knows the thread that took the lock.
    thread: PhantomData<*const ()>,
    elements: PhantomData<&'a mut [T]>,
}

impl<'a, T: Pod> Borrowed<'a, T> {
    /// The elements. The caller has just locked its mutex: this now holds the lock, and releases it. Its thread is
    /// [watched](pthread_key::watch): the kernel releases the lock when the thread ends, and a reference to the elements of a guard
    /// that was leaked may have gone to another thread.
    pub(crate) fn new(array: &'a Extent<ArrayPart>) -> Self {
        pthread_key::lend();
        let (start, count) = (array.address(), Self::length(array));
        let skipped = start.align_offset(align_of::<T>()).min(array.bytes());
        // SAFETY: inside the bytes of the array, or just at their end.
        let first = unsafe { start.add(skipped) }.cast();
        Self { mutex: &array.mutex, first, count, thread: PhantomData, elements: PhantomData }
    }

    /// How many elements there are.
    pub(crate) fn length(array: &Extent<ArrayPart>) -> usize {
        let room = array.bytes().saturating_sub(padding_of::<T>());
        room.checked_div(size_of::<T>()).unwrap_or(0)
    }

    pub(crate) fn mutex(&self) -> &'a RobustMutex {
        self.mutex
    }
}

impl<T: Pod> Deref for Borrowed<'_, T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: so many are there, aligned; the memory stays mapped for the lifetime; any bytes are a `T`; and
        // while this holds the lock nobody else refers to them, in this process or another.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl<T: Pod> DerefMut for Borrowed<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and it is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), self.count) }
    }
}

impl<T> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        self.mutex.unlock();
        pthread_key::come_back();
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Borrowed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
