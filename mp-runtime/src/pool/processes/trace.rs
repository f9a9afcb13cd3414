//! A trace of all tasks on all workers, for Perfetto and Chrome's `about:tracing`.
//!
//! The format is the [JSON array][format] of "complete events", which need not be closed: what is there when the program is killed
//! can be read.
//!
//! [format]: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::error::{Error, Result};

/// The file, until something could not be written to it.
#[derive(Debug)]
pub(super) struct Trace(Mutex<Option<BufWriter<File>>>);

/// When a task was begun and when it had ended, in nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begin: u64,
    pub(super) end: u64,
}

impl Span {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.begin.to_le_bytes());
        bytes[8..].copy_from_slice(&self.end.to_le_bytes());
        bytes
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (begin, end) = (bytes.first_chunk()?, bytes.last_chunk().filter(|_| bytes.len() == 16)?);
        Some(Self { begin: u64::from_le_bytes(*begin), end: u64::from_le_bytes(*end) })
    }

    pub(super) fn length(self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

impl Trace {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let doing = |error| Error::os(format!("create the trace {}", path.display()), error);
        let mut file = BufWriter::new(File::create(path).map_err(doing)?);
        file.write_all(b"[\n").map_err(doing)?;
        Ok(Self(Mutex::new(Some(file))))
    }

    /// A worker is there.
    pub(super) fn worker(&self, pid: u32, name: &str) {
        let name = quoted(name);
        self.write(&format!(r#"{{"ph":"M","name":"process_name","pid":{pid},"tid":{pid},"args":{{"name":{name}}}}}"#));
    }

    /// A task has been run.
    pub(super) fn task(&self, pid: u32, target: &str, index: u64, span: Span) {
        let (begin, length) = (span.begin as f64 / 1000.0, span.length() as f64 / 1000.0);
        let name = quoted(target);
        self.write(&format!(
            r#"{{"ph":"X","cat":"task","name":{name},"pid":{pid},"tid":{pid},"ts":{begin:.3},"dur":{length:.3},"args":{{"index":{index}}}}}"#
        ));
    }

    /// A worker has ended that was not asked to.
    pub(super) fn death(&self, pid: u32, now: u64, why: &str) {
        let (now, why) = (now as f64 / 1000.0, quoted(why));
        self.write(&format!(
            r#"{{"ph":"i","s":"p","name":"died","pid":{pid},"tid":{pid},"ts":{now:.3},"args":{{"why":{why}}}}}"#
        ));
    }

    fn write(&self, event: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be written, as on a full disk, is no reason to stop the pool.
        if file
            .as_mut()
            .is_some_and(|file| file.write_all(event.as_bytes()).and_then(|()| file.write_all(b",\n")).is_err())
        {
            *file = None;
        }
    }

    /// Nothing more will come.
    pub(super) fn finish(&self) {
        if let Some(mut file) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The last event has no comma behind it.
            let end = r#"{"ph":"M","name":"trace_end","pid":0,"args":{}}"#;
            file.write_all(end.as_bytes()).and_then(|()| file.write_all(b"\n]\n")).and_then(|()| file.flush()).ok();
        }
    }
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a string cannot fail.
            c if c < ' ' => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
    }

    #[test]
    fn a_span_is_sixteen_bytes() {
        let span = Span { begin: 3, end: 9 };
        assert_eq!(Span::of(&span.to_bytes()).map(Span::length), Some(6));
        assert!(Span::of(&[0; 15]).is_none());
    }
}
