//! Threads that run tasks: `pool.rs`, what their user sees; `builder.rs`, how they are to be; `crew.rs`, the threads and the queue before them.

mod builder;
mod crew;
mod pool;

pub use builder::ThreadPoolBuilder;
pub use pool::ThreadPool;
