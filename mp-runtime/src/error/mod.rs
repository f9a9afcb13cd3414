//! Errors: values with a cause.
//!
//! [`Error`] is opaque and carries its story as text plus predicates for the few things that a
//! caller may want to tell apart. [`JoinError`] is the enum that callers match on: how a child ended
//! when it did not return. This layer imports none of the others.

mod join;
mod kind;
mod status;

pub(crate) use join::Facts;
pub use join::{Ended, JoinError, Panic};
pub use kind::{Error, Result};
pub use status::ExitStatus;
