//! Messages between two processes: connections and waiting for many of them.
//!
//! `end.rs` is the one way in and out of a socket that users hold; `sender.rs` and `receiver.rs` put types on it,
//! `connection.rs` puts both of these on one socket. `packet.rs` reads the control sockets between a child and its
//! parent, where messages are kept for long. `wait.rs` and `selector.rs` wait for anything that is a descriptor.
//! `asynchronous/` is the same for programs that run on tokio.

#[cfg(any(test, feature = "faults"))]
mod anything;
#[cfg(feature = "tokio")]
pub(crate) mod asynchronous;
mod connection;
mod end;
mod iter;
mod message;
mod packet;
mod queue;
mod receiver;
mod selector;
mod sender;
#[cfg(test)]
mod tests;
mod wait;

#[cfg(any(test, feature = "faults"))]
pub use anything::{Packet, receive_anything};
pub use connection::{Connection, pipe};
pub use iter::{IntoIter, Iter};
pub use message::Message;
pub(crate) use packet::{Incoming, Whatever, recv_trusted, recv_whatever, try_recv};
pub use queue::{
    Batch, Drain, JoinableIter, JoinableQueue, PutManyError, Queue, QueueIntoIter, QueueIter, QueueReceiver,
    QueueSender, SimpleQueue, Taken,
};
#[cfg(any(test, feature = "faults"))]
pub use queue::{Counted, queue_census};
pub use receiver::Receiver;
pub use selector::{Key, Selector};
pub use sender::{Sender, channel};
pub use wait::wait;
