//! Memory that more than one process sees.
#![expect(unsafe_code, reason = "a mapping is a promise that the compiler cannot check")]

pub(crate) mod arena;
mod atomic;
mod building;
pub(crate) mod cells;
mod chunks;
mod extent;
mod kept;
pub(crate) mod layouts;
mod lending;
mod mapping;
pub(crate) mod named;
mod pages;
mod parts;
mod sealed;
pub(crate) mod segments;
pub(crate) mod words;

#[cfg(any(test, feature = "faults"))]
pub use arena::shared_census;
pub use atomic::Atomic;
pub(crate) use building::Building;
pub(crate) use extent::Extent;
pub(crate) use kept::Room;
pub(crate) use lending::{Lent, Loan, Slot};
pub(crate) use mapping::Mapping;
pub(crate) use parts::{Apart, MAX_PARTS, Part, Whole};
pub(crate) use sealed::{Sealed, Writing};
