//! Errors: values with a cause.
//!
//! [`Error`] is opaque and carries its story as text plus predicates for the few things that a
//! caller may want to tell apart. Enums are what callers match on: [`JoinError`], how a child ended when it did not
//! return, [`SendError`] and [`RecvError`], why a message did not go or come,
//! [`LockError`] and [`BrokenBarrier`], why a lock was not taken, or a barrier not passed,
//! [`TaskError`], why a pool's task has no result. This layer imports none of the others.

mod barrier;
mod join;
mod kind;
mod lock;
mod status;
mod task;
mod transfer;

pub use barrier::BrokenBarrier;
pub(crate) use join::Facts;
pub use join::{Ended, JoinError, Panic};
pub use kind::{Error, Result};
pub use lock::{LockError, RobustGuard};
pub use status::ExitStatus;
pub(crate) use task::Facts as FactsOfTask;
pub use task::{TaskError, TaskFacts};
pub use transfer::{RecvError, SendError};
