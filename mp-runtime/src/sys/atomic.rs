//! The atomics that lie in shared memory. Loom has its own in their place (`loom/atomic.rs`).

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};
