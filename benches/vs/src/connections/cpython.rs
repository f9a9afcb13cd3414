//! CPython's multiprocessing, where there is a `python3`; its side of the work is in `python.py`.

use std::time::Duration;

use super::work::Work;
use crate::{Failure, python::Python, report::Report};

pub(crate) struct CPython(Option<Python>);

impl CPython {
    /// Its children are started by its first turns.
    pub(crate) fn start(report: &Report) -> Self {
        let python = Python::start();
        if let Err(why) = &python {
            report.note(&format!("CPython's multiprocessing: skipped, {why}"));
        }
        Self(python.ok())
    }

    pub(crate) fn version(&self) -> Option<&str> {
        self.0.as_ref().map(Python::version)
    }

    /// What `all` of the work takes by this method: it does, and times, only `some` of it, so that its turns are not
    /// much longer than others'. Nothing without a `python3`.
    pub(crate) fn time(&self, method: &str, some: Work, all: Work) -> Result<Duration, Failure> {
        let Some(python) = &self.0 else { return Ok(Duration::ZERO) };
        let taken = python.time(&format!("{method} {} {}", some.batches, some.batch))?;
        Ok(taken * (all.messages() / some.messages()))
    }
}
