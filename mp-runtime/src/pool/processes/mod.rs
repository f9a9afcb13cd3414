//! The pool of processes. `README.md` has the protocol.
//!
//! In the order of a task: `builder.rs` and `config.rs`, what the pool is to be; `pool.rs`, what its user sees; `drive.rs`, who looks
//! after it; `core.rs`, how it stands; `dispatch.rs`, who gets what; `desk.rs`, `mailbox.rs`, `entry.rs` and `bell.rs`, the way to the worker;
//! `worker.rs`, what happens there; `collect.rs`, the way back; `deaths.rs`, what if it does not come back; `start.rs` and `io.rs`, how workers
//! come to be; `stderr.rs`, what they say.

mod answers;
mod bell;
mod builder;
mod collect;
mod config;
mod core;
mod deaths;
mod desk;
mod dispatch;
mod drive;
mod entry;
mod inbox;
mod io;
mod mailbox;
#[cfg(test)]
mod models;
mod pool;
mod ready;
mod setup;
mod start;
mod stats;
mod stderr;
mod tags;
#[cfg(test)]
mod tests;
mod trace;
mod worker;

pub(super) use bell::Bell;
pub use builder::PoolBuilder;
pub use pool::Pool;
pub use stats::{LongTask, PoolStats, WorkerStats};
