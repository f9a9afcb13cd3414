//! Messages between two processes.

mod packet;

pub(crate) use packet::{Incoming, try_recv};
