//! The ends of connections for programs that run on tokio: the same messages, waited for by the runtime instead of by
//! a thread. A blocking end at the other side does not know the difference.
//!
//! `driven.rs` has the waiting, the other files put types on it; the sides of a queue wait in another way, in `queue.rs`.
//!
//! Everything is sent and received within one poll: a future that is dropped before it is ready has sent nothing
//! and taken nothing.

mod connection;
mod driven;
mod queue;
mod receiver;
mod sender;

pub use connection::Connection;
pub use queue::{QueueReceiver, QueueSender};
pub use receiver::Receiver;
pub use sender::Sender;
