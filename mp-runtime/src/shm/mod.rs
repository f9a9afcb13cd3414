//! Memory that more than one process sees.
#![expect(unsafe_code, reason = "a mapping is a promise that the compiler cannot check")]

pub(crate) mod arena;
mod atomic;
pub(crate) mod cells;
pub(crate) mod layouts;
mod mapping;
pub(crate) mod named;

#[cfg(any(test, feature = "faults"))]
pub use arena::shared_census;
pub use atomic::Atomic;
pub(crate) use mapping::Mapping;
