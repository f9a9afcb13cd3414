//! Part of a shared array, in one process at a time.

use std::{
    fmt,
    marker::PhantomData,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use bytemuck::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::elements::{self, Came, Count};
use crate::{codec::Handle, error::Result, shm::Part};

/// A mutable part of a [`SharedArray`](crate::SharedArray), which one process has at a time.
///
/// As part of a message, argument or result it moves: what stays behind is an empty window, also where the message is then
/// not sent, or nobody receives it. A second message cannot have it, that is an error of the second send. In any
/// other serialiser (JSON, say) it is an error, and stays.
///
/// Dropped, it has come back: [`Rejoin`](crate::Rejoin) waits for that. A window whose process was killed or exits, or
/// that is dropped by a panic, is gone as well, but counts as lost: half of what was meant may be written.
///
/// Elements are reached through `&mut` only, so that no borrow of them is left when it goes. No window of an array overlaps
/// with another, and safe code cannot reach beyond its own (though it maps whole pages). Processes that forge messages or use `unsafe`
/// code are not kept from anything: windows are for the processes of one program.
///
/// A received window costs its process two descriptors.
pub struct SharedWindow<T> {
    /// `None`: it has gone into a message. It is reached through a shared reference there.
    part: Mutex<Option<Part>>,
    range: Range<usize>,
    element: PhantomData<T>,
}

impl<T: Pod> SharedWindow<T> {
    /// Its elements; none if it has gone into a message.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (mut windows, rejoin) = mp::SharedArray::<u8>::zeroed(5)?.split(2)?;
    /// windows[1].as_mut_slice()[0] = 7;
    /// drop(windows);
    /// assert_eq!(rejoin.join()?.array[..], [0, 0, 0, 7, 0]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        let part = self.part.get_mut().unwrap_or_else(PoisonError::into_inner);
        elements::of_mut(part.as_mut().map(Part::bytes_mut).unwrap_or_default())
    }

    pub(super) fn new(part: Part, range: Range<usize>) -> Self {
        Self { part: Mutex::new(Some(part)), range, element: PhantomData }
    }
}

impl<T> SharedWindow<T> {
    /// The index that its first element has in the array.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.range.start
    }

    /// The indices that its elements have in the array.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// How many elements it has, or had before it went.
    #[must_use]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether it has, or had, no elements: an array may be split into more windows than it has elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Whether it has gone into a message.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.part.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// Moves it: in messages of this library only, and once.
impl<T: Pod> Serialize for SharedWindow<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut held = self.part.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(part) = held.as_ref() else {
            return Err(ser::Error::custom("a window of a shared array is in another message already"));
        };
        let [memfd, out] = part.descriptors().map(Handle::new);
        let numbers = (part.index() as u64, self.range.start as u64, Count::of::<T>(self.range.len()));
        let written = (memfd, out, numbers).serialize(serializer)?;
        if let Some(part) = held.take() {
            part.depart();
        }
        Ok(written)
    }
}

impl<'de, T: Pod> Deserialize<'de> for SharedWindow<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (memfd, out, (index, start, count)) = <(Came, Came, (u64, u64, Count))>::deserialize(deserializer)?;
        let (length, bytes) = count.check::<T, D::Error>()?;
        let (before, bytes_before) = Count { elements: start, ..count }.check::<T, D::Error>()?;
        let outside = || de::Error::custom("a window lies outside its array");
        let end = before.checked_add(length).ok_or_else(outside)?;
        let bytes_end = bytes_before.checked_add(bytes).ok_or_else(outside)?;
        let index = usize::try_from(index).map_err(|_| outside())?;
        let part = Part::receive(memfd.into_inner(), out.into_inner(), index, bytes_before..bytes_end)
            .map_err(de::Error::custom)?;
        Ok(Self::new(part, before..end))
    }
}

impl<T> fmt::Debug for SharedWindow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWindow").field("range", &self.range).field("is_gone", &self.is_gone()).finish()
    }
}
