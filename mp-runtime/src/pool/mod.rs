//! Pools: many tasks for few workers.
//!
//! In the order of a task: `tasks.rs`, what can be asked, with types; `options.rs`; `work.rs` and `executor.rs`, what is handed to whoever does
//! it; `order.rs` and `watch.rs`, what comes of it and who is told; `task.rs`, `many.rs`, the handle; `background.rs` and `recording.rs`, a map's; `feed.rs`, `chunk.rs`, `joiners.rs`, many items
//! for one target, and `progress.rs`, how far these are, with `bar.rs`, for those who look on. Executors: `processes/`, `threads/`, `inline.rs`, which both share `here.rs`; `perform.rs` for those of others, and `faulty.rs` for tests.

mod background;
#[cfg(feature = "progress")]
mod bar;
mod chunk;
mod executor;
mod faulty;
mod feed;
mod front;
mod here;
mod inline;
mod joiners;
mod many;
mod options;
mod order;
mod perform;
mod processes;
mod progress;
mod recording;
mod task;
mod tasks;
mod threads;
mod watch;
mod work;

pub use background::MapTask;
pub use executor::{Executor, Rejected};
pub use faulty::Faulty;
pub use feed::{Imap, Singly};
pub use inline::Inline;
pub use many::{AsCompleted, as_completed, wait_all, wait_any};
pub use options::{Fault, Retry, TaskOptions};
pub use perform::{perform, perform_with};
pub use processes::{LongTask, Pool, PoolBuilder, PoolStats, WorkerStats};
pub use progress::Progress;
pub use task::Task;
pub use tasks::{Tasks, TrySubmitError};
pub use threads::{ThreadPool, ThreadPoolBuilder};
pub use work::{TargetName, Work};
