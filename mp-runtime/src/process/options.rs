//! What a description of a process says besides its target and arguments.

use std::{
    collections::BTreeMap,
    env,
    ffi::{CStr, CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    OnParentDeath, Stdio,
    launch::{ForkServer, Preload, StartMethod},
};
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

/// By which method a process is started, and with what of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Launch {
    /// What forks it; `None`: it is spawned.
    pub(super) server: Option<Arc<ForkServer>>,
    /// What a spawned process runs before its target; a server has run its own.
    pub(super) preloads: Arc<[Preload]>,
    /// Spawned, where the system cannot fork as a server does.
    pub(super) or_spawn: bool,
}

impl Launch {
    pub(super) fn method(&self) -> StartMethod {
        if self.server.is_some() { StartMethod::ForkServer } else { StartMethod::Spawn }
    }
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) launch: Launch,
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
            launch: Launch::default(),
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
#[derive(Clone, Debug, Default)]
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

    /// The [`block`](Self::block), unless it is this one.
    pub(super) fn unless(&self, known: Option<&Block>) -> Result<Option<Block>> {
        if !self.cleared && self.changes.is_empty() && known.is_some_and(|known| known.is_of(env::vars_os())) {
            return Ok(None);
        }
        self.block().map(|block| Some(block).filter(|block| Some(block) != known))
    }

    /// `KEY=value` for every variable of the child's.
    pub(super) fn block(&self) -> Result<Block> {
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
        Ok(block)
    }
}

/// An environment as `execve(2)` takes it, one variable behind the other in one buffer: a start is fast enough
/// for an allocation per variable to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Block {
    /// Neither may hold a NUL byte.
    pub(super) fn push(&mut self, key: &OsStr, value: &OsStr) {
        for part in [key.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            self.text.extend_from_slice(part);
        }
        self.ends.push(self.text.len());
    }

    /// Whether it is of just these, in this order.
    fn is_of(&self, variables: impl Iterator<Item = (OsString, OsString)>) -> bool {
        let mut rest = self.text.as_slice();
        for (key, value) in variables {
            for part in [key.as_bytes(), b"=", value.as_bytes(), b"\0"] {
                match rest.strip_prefix(part) {
                    Some(behind) => rest = behind,
                    None => return false,
                }
            }
        }
        rest.is_empty()
    }

    /// All of it; each variable ends in a NUL byte.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
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
