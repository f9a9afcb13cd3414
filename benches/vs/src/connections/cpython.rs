//! CPython's side of the work.

use std::time::Duration;

use super::work::Work;
use crate::{Failure, cpython::CPython};

impl Work {
    /// What CPython takes for it, which does, and times, only `some` of it.
    pub(super) fn time_cpython(self, cpython: &CPython, kind: &str, some: Self) -> Result<Duration, Failure> {
        cpython.time(&format!("{kind} {} {}", some.batches, some.batch), some.messages(), self.messages())
    }
}
