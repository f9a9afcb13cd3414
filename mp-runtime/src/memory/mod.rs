//! Shared memory as values: what users hold, and what travels in messages.
//!
//! `shared_memory.rs` is shared memory by name, `wire.rs` how it looks in a message, `ownership.rs` how the duty to remove
//! the name goes to another process; the mechanics are in `shm/named`. `list.rs` is CPython's `ShareableList` in it, `layout.rs` that list's bytes,
//! `item.rs` its items; `manager.rs` is a scope for both.

mod item;
mod layout;
mod list;
mod manager;
mod ownership;
mod shared_memory;
mod wire;

pub use item::ListItem;
pub use list::ShareableList;
pub use manager::SharedMemoryManager;
pub use ownership::Ownership;
pub use shared_memory::{SharedMemory, cleanup};
