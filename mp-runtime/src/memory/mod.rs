//! Shared memory as values: what users hold, and what travels in messages.
//!
//! `slice.rs` is immutable and trusts nobody, `slice_mut.rs` writes one in place. `pool.rs` lends memory that is written again
//! and again, `array.rs` gives each of its windows (`window.rs`) to one process at a time. What is unsafe about all of
//! it is in `shm/`; `elements.rs` is where bytes become elements.
//!
//! `shared_memory.rs` is shared memory by name, `wire.rs` how it looks in a message, `ownership.rs` how the duty to remove
//! the name goes to another process; the mechanics are in `shm/named`. `list.rs` is CPython's `ShareableList` in it, `layout.rs` that list's bytes,
//! `item.rs` its items; `manager.rs` is a scope for both.

mod array;
mod elements;
mod item;
mod layout;
mod list;
mod manager;
mod ownership;
mod pool;
mod rejoin;
mod shared_memory;
mod slice;
mod slice_mut;
mod window;
mod wire;

pub use array::{SharedArray, SplitError};
pub use item::ListItem;
pub use list::ShareableList;
pub use manager::SharedMemoryManager;
pub use ownership::Ownership;
pub use pool::{KeptMappings, LentSlice, PooledSliceMut, SlicePool};
pub use rejoin::{Rejoin, Rejoined};
pub use shared_memory::{SharedMemory, cleanup};
pub use slice::SharedSlice;
pub use slice_mut::SharedSliceMut;
pub use window::SharedWindow;
