//! The locks of `threading`, for processes that may die: in memory that all of them see, passed on in any message.
//!
//! `README.md` has the states of each and the argument why no wake-up is lost. [`Lock`] and [`RLock`] are the kernel's
//! robust lock (`sys/robust_mutex.rs`); the others are a few words of memory and that.

mod barrier;
mod condition;
mod death;
mod event;
mod handle;
mod lock;
#[cfg(all(test, loom))]
mod loom;
#[cfg(test)]
mod models;
mod permits;
mod rlock;
mod semaphore;

pub use barrier::Barrier;
pub use condition::{AnyGuard, Condition};
pub use event::Event;
pub(crate) use handle::handle;
pub(crate) use lock::take;
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use semaphore::{BoundedSemaphore, Semaphore, SemaphoreGuard};
