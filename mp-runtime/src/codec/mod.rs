//! Values to bytes and back: serde in, bincode's scalars out.
//!
//! The wire is bincode 2's standard configuration, with two additions that its own serde adapter, being
//! closed, leaves no room for:
//!
//! - **Blocks.** A `Vec` of plain numbers, a string or a byte string is copied as one block instead of
//!   element by element, and a large one is written straight into memfds, so that 64 MiB are
//!   copied once on each side, by as many processors as there are. `blocks.rs` has the format, `spill.rs` the memfds.
//! - **Handles.** A descriptor anywhere inside a value goes into a side table and travels beside the bytes.
//!
//! `encoder.rs` and `decoder.rs` are the two halves of serde's data model; `scalar.rs` is the one file that
//! knows bincode; `frame.rs` is how a message looks on a socket, `message.rs` reads one that came in.

#[cfg(any(test, feature = "faults"))]
mod anything;
mod block_walk;
mod blocks;
pub(crate) mod carried;
mod decoder;
mod encoder;
mod frame;
pub(crate) mod handles;
pub(crate) mod lengths;
mod limits;
mod message;
mod parcel;
mod scalar;
pub(crate) mod scratch;
mod spill;
#[cfg(test)]
mod tests;
mod together;

#[cfg(any(test, feature = "faults"))]
pub use anything::decode_anything;
#[cfg(any(test, feature = "faults"))]
pub(crate) use anything::sealed;
pub(crate) use decoder::Bytes;
pub use decoder::Decoder;
pub(crate) use encoder::Encoder;
pub(crate) use frame::{Encoded, HEADER, MAX_FRAME};
pub use handles::Handle;
pub(crate) use message::{Message, announced_fds};
pub(crate) use parcel::Parcel;
