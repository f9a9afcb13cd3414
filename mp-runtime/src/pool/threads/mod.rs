//! Threads that run tasks: `pool.rs`, what their user sees; `builder.rs`, how they are to be; `crew.rs`, the threads, and `queue.rs`, what
//! waits before them.

mod builder;
mod crew;
mod pool;
mod queue;

pub use builder::ThreadPoolBuilder;
pub use pool::ThreadPool;
