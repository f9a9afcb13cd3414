//! Elements as bytes and back.

use bytemuck::Pod;
use serde::{Deserialize, Serialize, de};

use crate::{
    codec::Handle,
    error::{Error, Result},
    sys::recvmsg::Arrived,
};

/// The bytes of so many elements. The compiler refuses elements that no mapping can hold.
pub(super) fn size_of<T: Pod>(count: usize) -> Result<usize> {
    size_if_possible::<T>(count)
        .ok_or_else(|| Error::invalid(format!("{count} elements are more than a process has addresses for")))
}

fn size_if_possible<T: Pod>(count: usize) -> Option<usize> {
    const {
        assert!(std::mem::size_of::<T>() > 0, "elements of shared memory have a size");
        assert!(align_of::<T>() <= 4096, "shared memory is aligned to a page, and elements to no more than that");
    }
    count.checked_mul(std::mem::size_of::<T>()).filter(|bytes| isize::try_from(*bytes).is_ok())
}

/// All whole elements. The bytes are those of a mapping, which is aligned.
pub(super) fn of<T: Pod>(bytes: &[u8]) -> &[T] {
    let whole = bytes.len() - bytes.len() % std::mem::size_of::<T>().max(1);
    bytes.get(..whole).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or_default()
}

/// All whole elements. The bytes are those of a mapping, which is aligned.
pub(super) fn of_mut<T: Pod>(bytes: &mut [u8]) -> &mut [T] {
    let whole = bytes.len() - bytes.len() % std::mem::size_of::<T>().max(1);
    bytes.get_mut(..whole).and_then(|bytes| bytemuck::try_cast_slice_mut(bytes).ok()).unwrap_or_default()
}

/// How many elements of what size, as it stands in a message.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) elements: u64,
    pub(super) size: u64,
}

impl Count {
    pub(super) fn of<T: Pod>(elements: usize) -> Self {
        Self { elements: elements as u64, size: std::mem::size_of::<T>() as u64 }
    }

    /// How many elements, and how many bytes, if these are elements of that size.
    pub(super) fn check<T: Pod, E: de::Error>(self) -> Result<(usize, usize), E> {
        if self.size != std::mem::size_of::<T>() as u64 {
            let expected = std::mem::size_of::<T>();
            return Err(E::custom(format_args!("elements of {} bytes came, not of {expected}", self.size)));
        }
        let counted =
            usize::try_from(self.elements).ok().and_then(|count| Some((count, size_if_possible::<T>(count)?)));
        counted.ok_or_else(|| E::custom(format_args!("{} elements fit into no memory", self.elements)))
    }
}

/// A descriptor that came with a message, and is whatever its sender wanted.
pub(super) type Came = Handle<Arrived>;
