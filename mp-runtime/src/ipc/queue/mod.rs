//! Queues that survive their users.
//!
//! A ring of items in shared memory, under a lock for those who put and one for those who get; each side has one word that says where it
//! is, and an item is put or got by one store to that. `README.md` has the protocol, with the argument why nobody waits for the dead.
//!
//! In the order to read: `place.rs` and `record.rs`, what lies where; `space.rs` and `chain.rs`, the memory for it; `core.rs`, the locks;
//! `put.rs` and `get.rs`; `bell.rs` and `end.rs`, how one side waits for the other; `repair.rs`, what is done after a death; `lane.rs`,
//! where descriptors go; `hold.rs`, items that are
//! taken back if their holder dies. Then what users see: `sender.rs`, `receiver.rs`, `queue.rs`, `simple.rs`.

mod bell;
#[cfg(any(test, feature = "faults"))]
mod census;
mod chain;
mod core;
pub(super) mod end;
mod get;
mod hold;
mod iter;
mod joinable;
mod lane;
#[cfg(test)]
mod models;
mod place;
mod put;
#[expect(clippy::module_inception, reason = "a queue is what it is")]
mod queue;
mod receiver;
mod record;
mod repair;
pub(super) mod sender;
mod simple;
mod space;
pub(super) mod stop;
#[cfg(test)]
mod tests;
mod wire;

#[cfg(any(test, feature = "faults"))]
pub use census::{Counted, queue_census};
pub use iter::{Batch, Drain, QueueIntoIter, QueueIter};
pub use joinable::{JoinableIter, JoinableQueue, Taken};
pub use queue::Queue;
pub use receiver::QueueReceiver;
pub use sender::{PutManyError, QueueSender};
pub use simple::SimpleQueue;
