//! Shared memory for things that are small and many: locks, counters, values.
//!
//! A process has one arena of its own, made when it is first needed: a memfd without size, mapped piece by piece as it grows, with
//! an allocator inside. What is made there travels as an address, all in one message together with one descriptor, and is freed
//! when nobody has it any more, however those who had it ended. `README.md` has the layout and the argument.
//!
//! In the order to read: `layout.rs`, what lies where; `../chunks.rs`, the mapping; `arena.rs`, how a process gets one;
//! `heap.rs`, the allocator; `repair.rs`, what is done after somebody died in it; `holders.rs`, who has what;
//! `block.rs` and `shared.rs`, what the rest of the crate sees; `transit.rs`, on the way in a message.

#[expect(clippy::module_inception, reason = "an arena is what it is")]
mod arena;
mod block;
#[cfg(any(test, feature = "faults"))]
mod census;
mod heap;
mod holders;
mod layout;
mod repair;
mod shared;
#[cfg(test)]
mod tests;
mod transit;

pub(crate) use arena::{Arena, forget_own};
pub(crate) use block::Block;
#[cfg(any(test, feature = "faults"))]
pub use census::shared_census;
pub(crate) use layout::MAX_BLOCK;
pub(crate) use shared::{Part, Shared};
pub(crate) use transit::Transit;
