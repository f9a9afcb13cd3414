//! Data that several processes change: a value or an array under a lock of its own, and raw ones of atomics.

mod array;
mod raw;
mod storage;
mod value;

pub use array::{Array, ArrayGuard};
pub use raw::{RawArray, RawValue};
pub use value::{Number, Value};
