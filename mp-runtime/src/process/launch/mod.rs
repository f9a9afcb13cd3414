//! How a described process becomes a running one.
//!
//! `start` is what the methods have in common. `spawn` executes the program anew; `forkserver/` has a process forked that has
//! done so before. `ready` says whether this program can do either.

mod forkserver;
mod method;
mod ready;
mod spawn;
mod start;

pub(in crate::process) use forkserver::{ForkServer, Plan, Preload, Setup, end_servers, serve};
pub use method::{StartMethod, all_start_methods};
pub(super) use ready::{check, hook_ran};
pub(super) use spawn::MARK;
pub(super) use start::start;
