//! How a described process becomes a running one.

mod ready;
mod spawn;

pub(super) use ready::hook_ran;
pub(super) use spawn::{MARK, start};
