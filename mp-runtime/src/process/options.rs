//! What a description of a process says besides its target and arguments.

use std::{
    collections::BTreeMap,
    env,
    ffi::{CStr, CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{OnParentDeath, Stdio};
use crate::error::{Error, Result};

/// Where the program to run stands; set for all processes that do not say otherwise.
static EXECUTABLE: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Sets the program that children run, instead of this one.
///
/// It must register the same targets, with the same version of this crate; that it does is asked of it at every
/// start, which takes a little longer for that. `None` goes back to this program (`/proc/self/exe`,
/// which stays the running one even if its file was replaced). [`Builder::executable`](crate::Builder::executable)
/// sets it for one process. Python's `set_executable`.
///
/// # Examples
///
/// ```
/// multiprocess::set_executable(std::env::current_exe().ok());
/// # multiprocess::set_executable(None::<&str>);
/// ```
pub fn set_executable(path: Option<impl AsRef<Path>>) {
    let path = path.map(|path| path.as_ref().to_owned());
    *EXECUTABLE.lock().unwrap_or_else(PoisonError::into_inner) = path;
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) daemon: bool,
    pub(super) on_parent_death: OnParentDeath,
    pub(super) kill_on_drop: bool,
    pub(super) executable: Option<PathBuf>,
    pub(super) directory: Option<PathBuf>,
    pub(super) environment: Environment,
    pub(super) streams: [Stdio; 3],
}

impl Options {
    pub(super) fn new(daemon: bool) -> Self {
        Self {
            daemon,
            on_parent_death: OnParentDeath::default(),
            kill_on_drop: false,
            executable: None,
            directory: None,
            environment: Environment::default(),
            streams: [Stdio::null(), Stdio::inherit(), Stdio::inherit()],
        }
    }

    /// The program that is not this one, if there is to be one.
    pub(super) fn foreign_executable(&self) -> Option<PathBuf> {
        self.executable.clone().or_else(|| EXECUTABLE.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Changes to the environment that a child inherits.
#[derive(Debug, Default)]
pub(super) struct Environment {
    cleared: bool,
    /// `None` removes.
    changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    pub(super) fn set(&mut self, key: &OsStr, value: Option<&OsStr>) {
        self.changes.insert(key.to_owned(), value.map(OsStr::to_owned));
    }

    pub(super) fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    /// `KEY=value` for every variable of the child's, with `own` last.
    pub(super) fn block(&self, own: (&str, &str)) -> Result<Block> {
        let mut block = Block::default();
        let inherited = (!self.cleared).then(env::vars_os).into_iter().flatten();
        for (key, value) in inherited.filter(|(key, _)| !self.changes.contains_key(key)) {
            block.push(&key, &value);
        }
        for (key, value) in &self.changes {
            let Some(value) = value else { continue };
            check(key, value)?;
            block.push(key, value);
        }
        block.push(own.0.as_ref(), own.1.as_ref());
        Ok(block)
    }
}

/// An environment as `execve(2)` takes it, one variable behind the other in one buffer: a start is fast enough
/// for an allocation per variable to show.
#[derive(Debug, Default)]
pub(super) struct Block {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Block {
    /// Neither may hold a NUL byte.
    fn push(&mut self, key: &OsStr, value: &OsStr) {
        for part in [key.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            self.text.extend_from_slice(part);
        }
        self.ends.push(self.text.len());
    }

    pub(super) fn variables(&self) -> Vec<&CStr> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts
            .zip(&self.ends)
            .filter_map(|(&start, &end)| CStr::from_bytes_with_nul(self.text.get(start..end)?).ok())
            .collect()
    }
}

fn check(key: &OsStr, value: &OsStr) -> Result<()> {
    if key.is_empty() || key.as_bytes().get(1..).is_some_and(|rest| rest.contains(&b'=')) {
        return Err(Error::invalid(format!("{key:?} cannot be the name of an environment variable")));
    }
    for text in [key, value] {
        if text.as_bytes().contains(&0) {
            return Err(Error::invalid(format!("{text:?} holds a NUL byte")));
        }
    }
    Ok(())
}

/// For the kernel, which takes no NUL bytes.
pub(super) fn c_string(text: &OsStr) -> Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| Error::invalid(format!("{text:?} holds a NUL byte")))
}
