//! Who this process is, and who started it.

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};

use super::{AuthKey, context::Inherited, launch::Setup, preparation::Preparation};
use crate::{
    error::{Error, Result},
    sys::poll::{self, Deadline},
};

/// This process, as Python's `current_process()` shows it.
///
/// In a program's first process the name is `MainProcess`; a child has the name that its parent gave it.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn who() -> (String, u32) {
///     let this = mp::current_process();
///     (this.name(), this.pid())
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(mp::current_process().name(), "MainProcess");
/// let child = mp::Process::new(who, ()).name("worker").start()?;
/// assert_eq!(child.join()?, ("worker".to_owned(), child.pid()));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn current_process() -> CurrentProcess {
    CurrentProcess(current())
}

/// The process that started this one, or `None` in a program's first process.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn parents_pid() -> Option<u32> {
///     mp::parent_process().map(|parent| parent.pid())
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert!(mp::parent_process().is_none());
/// assert_eq!(mp::spawn(parents_pid, ())?.join()?, Some(std::process::id()));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn parent_process() -> Option<ParentProcess> {
    current().parent.as_ref().map(ParentProcess)
}

/// How many processors this process may use: affinity and cgroup quota count; at least 1.
///
/// As [`std::thread::available_parallelism`]. Python's `cpu_count()` counts the machine's instead.
///
/// ```
/// assert!(multiprocess::cpu_count() >= 1);
/// ```
#[must_use]
pub fn cpu_count() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The calling process; see [`current_process`].
#[derive(Clone, Copy)]
pub struct CurrentProcess(&'static Current);

impl CurrentProcess {
    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        self.0.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives it another name, here; the parent's handle keeps its own. Names need not be unique.
    pub fn set_name(self, name: impl Into<String>) {
        *self.0.name.lock().unwrap_or_else(PoisonError::into_inner) = name.into();
    }

    /// Its process id.
    #[must_use]
    pub fn pid(self) -> u32 {
        std::process::id()
    }

    /// Whether its parent terminates it at the parent's normal end. Children inherit it.
    #[must_use]
    pub fn is_daemon(self) -> bool {
        self.0.daemon
    }

    /// How many processes of this program stand above it: 0 in the first one.
    #[must_use]
    pub fn depth(self) -> u32 {
        self.0.depth
    }

    /// The secret that it shares with its children and its parent.
    ///
    /// # Errors
    ///
    /// The kernel's, if there are no random bytes to be had when the first process asks first.
    pub fn authkey(self) -> Result<AuthKey> {
        self.0.authkey()
    }

    /// Replaces that secret, for this process and the children that it starts from now on.
    pub fn set_authkey(self, key: impl Into<AuthKey>) {
        *self.0.authkey.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.into());
    }
}

impl fmt::Debug for CurrentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CurrentProcess")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("daemon", &self.is_daemon())
            .finish_non_exhaustive()
    }
}

/// The process that started this one; see [`parent_process`].
///
/// It is watched through the lifeline, a pipe that only the parent holds open, so another process that
/// gets its pid later is not mistaken for it. As a descriptor ([`AsFd`]) it can be polled: it hangs up
/// when the parent has ended.
#[derive(Clone, Copy)]
pub struct ParentProcess(&'static Parent);

impl ParentProcess {
    /// The name that it had when it started this process.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.0.pid
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`.
    pub fn is_alive(self) -> Result<bool> {
        self.join_timeout(Duration::ZERO).map(|ended| !ended)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`.
    pub fn join(self) -> Result<()> {
        self.wait(Deadline::NEVER).map(drop)
    }

    /// Waits until it has ended, but not longer than `timeout`. Returns whether it has.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`.
    pub fn join_timeout(self, timeout: Duration) -> Result<bool> {
        self.wait(Deadline::after(timeout))
    }

    fn wait(self, deadline: Deadline) -> Result<bool> {
        poll::readable(self.0.lifeline, deadline).map_err(|error| Error::os("wait for the parent's end", error))
    }
}

impl AsFd for ParentProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.lifeline.as_fd()
    }
}

impl fmt::Debug for ParentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParentProcess").field("name", &self.name()).field("pid", &self.pid()).finish_non_exhaustive()
    }
}

/// What this process knows of itself.
pub(super) struct Current {
    name: Mutex<String>,
    identity: Vec<u32>,
    daemon: bool,
    depth: u32,
    authkey: Mutex<Option<AuthKey>>,
    parent: Option<Parent>,
    children_numbered: AtomicU32,
    /// How it starts processes that are not told otherwise: what it has from its parent.
    default: Option<Inherited>,
}

struct Parent {
    name: String,
    pid: u32,
    lifeline: &'static OwnedFd,
}

/// Only a copy of a fork server becomes another one than it was.
static CURRENT: Mutex<Option<&'static Current>> = Mutex::new(None);

pub(super) fn current() -> &'static Current {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| {
        Box::leak(Box::new(Current {
            name: Mutex::new("MainProcess".to_owned()),
            identity: Vec::new(),
            daemon: false,
            depth: 0,
            authkey: Mutex::new(None),
            parent: None,
            children_numbered: AtomicU32::new(0),
            default: None,
        }))
    })
}

/// Makes this process the child that its parent has described.
pub(super) fn become_child(preparation: &Preparation, lifeline: &'static OwnedFd) {
    become_one(Current {
        name: Mutex::new(preparation.name.clone()),
        identity: preparation.identity.clone(),
        daemon: preparation.daemon,
        depth: preparation.depth,
        authkey: Mutex::new(Some(AuthKey::from(preparation.authkey.clone()))),
        parent: Some(Parent { name: preparation.parent_name.clone(), pid: preparation.parent_pid, lifeline }),
        children_numbered: AtomicU32::new(0),
        default: Some(preparation.default),
    });
}

/// Makes this process a fork server.
pub(super) fn become_server(setup: &Setup, lifeline: &'static OwnedFd) {
    become_one(Current {
        name: Mutex::new("ForkServer".to_owned()),
        identity: Vec::new(),
        daemon: true,
        depth: setup.depth,
        authkey: Mutex::new(Some(AuthKey::from(setup.authkey.clone()))),
        parent: Some(Parent { name: setup.parent_name.clone(), pid: setup.parent_pid, lifeline }),
        children_numbered: AtomicU32::new(0),
        default: None,
    });
}

fn become_one(current: Current) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::leak(Box::new(current)));
}

impl Current {
    /// The numbers of the next child: `[2]` for the second of the first process, `[2, 1]` for its first.
    pub(super) fn number_child(&self) -> Vec<u32> {
        let number = self.children_numbered.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.identity.iter().copied().chain([number]).collect()
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn inherited_default(&self) -> Option<Inherited> {
        self.default
    }

    pub(super) fn authkey(&self) -> Result<AuthKey> {
        let mut authkey = self.authkey.lock().unwrap_or_else(PoisonError::into_inner);
        match &*authkey {
            Some(key) => Ok(key.clone()),
            None => Ok(authkey.insert(AuthKey::random()?).clone()),
        }
    }
}
