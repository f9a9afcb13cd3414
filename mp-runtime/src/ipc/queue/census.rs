//! For tests: where the segments of a queue are.

use super::{JoinableQueue, Queue, core::Core};
use crate::error::Result;

/// A queue of any kind.
pub trait Counted {
    #[doc(hidden)]
    fn segments(&self) -> Result<(u32, u32)>;
}

/// How many segments a queue has, and how many of them are free. What the dead had is taken back first.
pub fn queue_census(queue: &impl Counted) -> Result<(u32, u32)> {
    queue.segments()
}

fn count(core: &Core) -> Result<(u32, u32)> {
    core.space()?.sweep()?;
    let _puts = core.lock(&core.part().puts)?;
    let _gets = core.lock(&core.part().gets)?;
    Ok((core.used(), core.space()?.count_free()?))
}

impl<T> Counted for Queue<T> {
    fn segments(&self) -> Result<(u32, u32)> {
        count(self.core())
    }
}

impl<T> Counted for JoinableQueue<T> {
    fn segments(&self) -> Result<(u32, u32)> {
        count(self.queue().core())
    }
}
