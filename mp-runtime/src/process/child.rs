//! A child as its parent keeps it: shared by the handle, the list of children and the reaper.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use nix::libc;

use super::{
    TargetId, children, oom,
    outcome::{self, Outcome},
    status::status,
};
use crate::{
    codec::Message,
    error::{Ended, Error, ExitStatus, Facts, JoinError, Result},
    event,
    sys::{
        clone, pidfd,
        poll::{self, Deadline},
        waitid::{self, Exit, How},
    },
};

/// How often an ended child is looked at that a debugger holds.
const TRACED: Duration = Duration::from_millis(5);

/// A started child. From start to end it owns two descriptors, after the end one.
pub(super) struct Child {
    name: Mutex<String>,
    target: TargetId,
    daemon: bool,
    /// The process that started it.
    parent: u32,
    pid: u32,
    pidfd: OwnedFd,
    /// The kernel's count of out-of-memory kills when this child was started.
    oom_baseline: u64,
    handles: AtomicUsize,
    /// A SIGKILL that ends this child was asked for here.
    kill_sent: AtomicBool,
    state: Mutex<State>,
}

enum State {
    Running {
        control: OwnedFd,
        /// What it had said when it was not known yet.
        said: Vec<Message>,
        /// `Some`: its zombie is gone, only its last word still waits in the socket.
        collected: Option<Option<Exit>>,
    },
    Ended(Arc<End>),
}

/// What is left of a child.
pub(super) struct End {
    /// `None`: someone else has collected it.
    pub(super) exit: Option<Exit>,
    pub(super) outcome: Outcome,
}

impl Child {
    pub(super) fn new(
        name: String,
        target: TargetId,
        daemon: bool,
        process: clone::Child,
        control: OwnedFd,
        said: Vec<Message>,
    ) -> Self {
        Self {
            name: Mutex::new(name),
            target,
            daemon,
            parent: std::process::id(),
            pid: process.pid,
            pidfd: process.pidfd,
            oom_baseline: oom::baseline(),
            handles: AtomicUsize::new(0),
            kill_sent: AtomicBool::new(false),
            state: Mutex::new(State::Running { control, said, collected: None }),
        }
    }

    pub(super) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_name(&self, name: String) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn is_daemon(&self) -> bool {
        self.daemon
    }

    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether it was the last one.
    pub(super) fn drop_handle(&self) -> bool {
        self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Waits for the end and collects what is left: the exit status, which removes the zombie, and the last
    /// word. `None`: it was still running at the deadline.
    ///
    /// Any number of threads may wait; the first to see the end collects, the others share.
    pub(super) fn wait(&self, deadline: Deadline) -> Result<Option<Arc<End>>> {
        if std::process::id() != self.parent {
            return Err(Error::unsupported("this process is a copy, made by `fork`, of the one whose child it is"));
        }
        loop {
            if let State::Ended(end) = &*self.state() {
                return Ok(Some(Arc::clone(end)));
            }
            if !poll::readable(&self.pidfd, deadline).map_err(|error| self.wait_failed(error))? {
                return Ok(None);
            }
            if let Some(end) = self.collect()? {
                return Ok(Some(end));
            }
            if deadline.is_over() {
                return Ok(None);
            }
            // A debugger has not let go of it: nobody can collect it yet, and nothing tells when that changes.
            thread::sleep(deadline.rest_at_most(TRACED));
        }
    }

    /// What an ended child has left; `None` while it cannot be had.
    fn collect(&self) -> Result<Option<Arc<End>>> {
        let mut state = self.state();
        let (control, said, collected) = match &mut *state {
            State::Ended(end) => return Ok(Some(Arc::clone(end))),
            State::Running { control, said, collected } => (control, said, collected),
        };
        let exit = match *collected {
            Some(exit) => exit,
            None => match waitid::try_reap(&self.pidfd) {
                Ok(None) => return Ok(None),
                Ok(exit) => exit,
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => None,
                Err(error) => return Err(self.wait_failed(error)),
            },
        };
        *collected = Some(exit);
        // A child never waits for room on its socket, and what it has sent outlives it there.
        let outcome = match outcome::collect(control, said) {
            // Also when this process has no room for its descriptors: it can be asked for again.
            Outcome::Lost(error) if error.raw_os_error() == Some(libc::EMFILE) => return Err(error),
            outcome => outcome,
        };
        let end = Arc::new(End { exit, outcome });
        *state = State::Ended(Arc::clone(&end));
        drop(state);
        children::forget(self);
        event::ended(&self.name(), self.pid, end.exit.map(status));
        Ok(Some(end))
    }

    fn wait_failed(&self, error: io::Error) -> Error {
        Error::os(format!("wait for process '{}'", self.name()), error)
    }

    /// Sends a signal; does nothing once it has ended.
    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        // Under the lock, so that the child is not collected between the look and the signal.
        let state = self.state();
        if matches!(*state, State::Ended(_)) {
            return Ok(());
        }
        if signal == libc::SIGKILL {
            self.kill_sent.store(true, Ordering::Relaxed);
        }
        match pidfd::send_signal(&self.pidfd, signal) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::os(format!("send signal {signal} to process '{}' (pid {})", self.name(), self.pid), error))
            }
            _ => Ok(()),
        }
    }

    /// Sends a signal to all processes of its group, if it leads one. Its own end does not matter.
    pub(super) fn signal_group(&self, signal: i32) {
        let state = self.state();
        let is_running = matches!(*state, State::Running { .. });
        if is_running && signal == libc::SIGKILL {
            self.kill_sent.store(true, Ordering::Relaxed);
        }
        let sent = pidfd::send_signal_to_group(&self.pidfd, signal);
        if sent.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL)) && is_running {
            // Linux before 6.9. Under the lock, so that the number is not yet another group's.
            pidfd::send_signal_to_group_by_number(self.pid, signal);
        }
    }

    /// Why there is no value, for an end that has none.
    pub(super) fn join_error(&self, end: &End) -> JoinError {
        let ended = self.ended(end);
        match (&end.outcome, end.exit.map(|exit| exit.how)) {
            (Outcome::Panicked(panic), _) => JoinError::Panicked(ended, panic.clone()),
            (Outcome::Refused(error), _) => JoinError::Refused(ended, error.clone()),
            (Outcome::Lost(error), _) => JoinError::Undecodable(ended, error.clone()),
            (Outcome::Value(_), _) => JoinError::Taken(ended),
            (Outcome::StackOverflow | Outcome::Silent, None) => JoinError::Lost(ended),
            (Outcome::StackOverflow | Outcome::Silent, Some(How::Exited(_))) => JoinError::Exited(ended),
            (outcome, Some(How::Signaled { signal, .. })) => match (signal, outcome) {
                (libc::SIGABRT, _) => JoinError::Aborted(ended),
                (libc::SIGSEGV | libc::SIGBUS, Outcome::StackOverflow) => JoinError::StackOverflow(ended),
                (libc::SIGKILL, _) if self.was_out_of_memory() => JoinError::OutOfMemory(ended),
                _ => JoinError::Killed(ended),
            },
        }
    }

    pub(super) fn ended(&self, end: &End) -> Ended {
        self.described(end.exit.map(status))
    }

    /// For an error of the wait itself: it has not ended, as far as anyone knows.
    pub(super) fn unknown(&self) -> Ended {
        self.described(None)
    }

    fn described(&self, status: Option<ExitStatus>) -> Ended {
        Ended::new(Facts { name: self.name(), pid: self.pid, target: self.target.name(), status })
    }

    fn was_out_of_memory(&self) -> bool {
        !self.kill_sent.load(Ordering::Relaxed) && oom::risen_since(self.oom_baseline)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = f.debug_struct("Process");
        description.field("name", &self.name()).field("pid", &self.pid).field("target", &self.target.name());
        match &*self.state() {
            State::Running { .. } => description.field("state", &format_args!("started")),
            State::Ended(end) => match end.exit.map(status) {
                Some(status) => description.field("state", &format_args!("stopped, {status}")),
                None => description.field("state", &format_args!("unknown")),
            },
        };
        description.field("daemon", &self.daemon).finish_non_exhaustive()
    }
}
