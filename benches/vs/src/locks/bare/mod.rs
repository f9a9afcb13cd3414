//! The limits: what the C library and the kernel have for it, with nothing around them.

mod barrier;
mod condition;
mod futex;
mod mutex;
mod semaphore;

use std::{ffi::c_int, io, sync::atomic::AtomicU64};

use multiprocess as mp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use self::{barrier::Barrier, condition::Condition, futex::Futex, mutex::Mutex, semaphore::Semaphore};
use crate::Failure;

/// One of the C library's things, in shared memory: where ours would lie too, so that all have the same cache lines.
#[derive(Clone)]
struct Place<T> {
    memory: mp::RawArray<AtomicU64>,
    thing: *mut T,
}

impl<T> Place<T> {
    /// `init` makes the thing.
    fn new(init: impl FnOnce(*mut T) -> c_int) -> Result<Self, Failure> {
        let place = Self::of(mp::RawArray::new(size_of::<T>().div_ceil(size_of::<u64>()))?);
        checked(init(place.thing))?;
        Ok(place)
    }

    /// The atomics are never used as such: they are memory that may change.
    fn of(memory: mp::RawArray<AtomicU64>) -> Self {
        const { assert!(align_of::<T>() <= align_of::<AtomicU64>()) };
        let thing = memory.as_ptr().cast_mut().cast();
        Self { memory, thing }
    }
}

impl<T> Serialize for Place<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.memory.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Place<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(Self::of)
    }
}

/// What the calls of `pthread_*` return.
fn checked(code: c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}
