//! Shared memory with a name: the segments that `shm_open(3)` and CPython's `shared_memory.SharedMemory` know, with an
//! owner who may die.
//!
//! # What says whose a segment is
//!
//! Nothing in the segment's size, mode or content, which are as CPython makes them. Beside these it has
//!
//! - a **marker** (`marker.rs`), an attribute of the file: *made by this library, and not to be kept*;
//! - the **owner's lock** (`lock.rs`): a lock of the owner's open file description on a byte that no segment is long
//!   enough to have. The kernel gives it free when the last descriptor of that description is closed, however its
//!   process ended, and no other process can take it for a dead one's: it is tested, never taken, by anyone but the owner.
//!
//! A segment with the marker and without the lock is an **orphan**: its owner has died. That is a final state, because
//! nobody takes the owner's lock of a segment that has had an owner.
//!
//! # The states of a name
//!
//! ```text
//! create:  file without a name ─ memory reserved ─ owner's lock ─ marker ─ link ──► owned
//!          (a kill here leaves nothing: the kernel drops a file without a name)
//! owned ── the owner drops it, unlinks it, or exits normally ─────────────────► no name
//!   │  └── the owner is killed ──► orphan ── create of the same name, cleanup ──► no name
//!   └── persist: marker removed, then the lock given free ──► a segment like CPython's: nobody's
//! ```
//!
//! A name appears in one step, `linkat(2)`, with all of this in place: no half-made segment is ever to be seen, and none
//! without its owner.
//!
//! # Why only the right one is removed
//!
//! `unlink(2)` removes whatever has the name at that moment, so between the look at a segment and its removal nobody may
//! put another one in its place. That needs the old one's name to be removed first, and who removes a name (`unlink.rs`:
//! the owner, a cleaner, a user of `unlink`) holds the **second lock** of that segment from before it looks which segment
//! has the name until it is removed. So two of ours are never between look and removal of the same segment.
//! A cleaner looks for the owner's lock first and for the marker second: `persist` undoes them the other way round.
//! What remains is another program that removes the name and gives it away again within these two system calls.

mod atoms;
mod create;
mod exit;
mod lock;
mod marker;
mod name;
mod segment;
#[cfg(test)]
mod tests;
mod unlink;

pub(crate) use segment::Segment;
pub(crate) use unlink::cleanup;
