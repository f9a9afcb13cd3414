//! CPython's multiprocessing, where there is a `python3`; its side of the work is in `python.py`.

use std::time::Duration;

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

    /// A package's version, if it is installed.
    pub(crate) fn version_of(&self, package: &str) -> Result<Option<String>, Failure> {
        self.0.as_ref().map_or(Ok(None), |python| python.version_of(package))
    }

    /// What `all` of the work would take: by what the line asks for it does, and times, only `some` of it, so that its
    /// turns are not much longer than others'. Nothing without a `python3`.
    pub(crate) fn time(&self, line: &str, some: u32, all: u32) -> Result<Duration, Failure> {
        let Some(python) = &self.0 else { return Ok(Duration::ZERO) };
        Ok(python.time(line)?.mul_f64(f64::from(all) / f64::from(some)))
    }
}
