//! Start method `forkserver`: README.md beside this file has the protocol, and why nobody waits for one who is dead.
//!
//! In the parent: `plan` is what a server is to be, `keeper` sees to it that there is one, `begin` makes one, `running` is one that there is, `answer` what becomes of
//! its orders, `stock` has its children that wait. On the other side: `serve` makes a process a server, `child` makes its copies children. `wire` and `place` are what
//! they tell each other.

mod answer;
mod begin;
mod child;
mod keeper;
mod place;
mod plan;
mod running;
mod serve;
mod stock;
mod wire;

pub(in crate::process) use keeper::{ForkServer, end_servers};
pub(in crate::process) use plan::{Plan, Preload};
pub(in crate::process) use serve::serve;
pub(in crate::process) use wire::Setup;
