//! The handle of a started child.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use nix::libc;

use super::{
    ResourceUsage,
    child::{Child, End},
    children,
    outcome::Outcome,
    reaper,
    status::status,
    target::Output,
};
use crate::{
    codec::Decoder,
    error::{ExitStatus, JoinError, Result},
    sys::poll::Deadline,
};

/// A running or ended child, and the way to its result of type `T`.
///
/// Made by [`Process::new`]`(…).`[`start()`](crate::Builder::start) or [`spawn`](crate::spawn). Methods that say nothing else can be
/// called at any time, from any thread; after the child's end they do nothing, or tell how it was.
///
/// Dropping the handle of a running child lets it go on, as with threads: it stays among
/// [`active_children`], leaves no zombie, and is waited for at the normal end of this process (a
/// [daemon](crate::Builder::daemon) is terminated then). [`kill_on_drop`](crate::Builder::kill_on_drop) turns that round.
///
/// It holds two descriptors while the child runs, one afterwards; as a descriptor ([`AsFd`]) it is the
/// child's pidfd, which becomes readable when the child ends.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn spin() {
///     loop {}
/// }
///
/// # fn main() -> mp::Result<()> {
/// let child = mp::Process::new(spin, ()).start()?;
/// if child.join_timeout(Duration::from_millis(20)).is_none() {
///     child.kill()?; // a thread could not be stopped
/// }
/// assert!(matches!(child.join(), Err(mp::JoinError::Killed(_))));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the handle gives up the result; use `.detach()` to say so"]
pub struct Process<T> {
    child: Arc<Child>,
    kill_on_drop: bool,
    result: PhantomData<fn() -> T>,
}

/// In place of a result's type, in the handles that [`active_children`] makes: `Process<Untyped>`.
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

/// The children of this process that are running, in the order of their starts. Those that have ended are collected on the way.
///
/// Children whose handle was dropped are among them, detached ones are not.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn wait_for_ever() {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// drop(mp::Process::new(wait_for_ever, ()).name("waiter").start()?);
/// for child in mp::active_children() {
///     assert_eq!(child.name(), "waiter");
///     child.kill()?;
///     child.join().unwrap_err();
/// }
/// assert!(mp::active_children().is_empty());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn active_children() -> Vec<Process<Untyped>> {
    children::active().into_iter().map(|child| Process::from_child(child, false)).collect()
}

impl<T: Output> Process<T> {
    /// Waits for the child's end and returns the function's result.
    ///
    /// It may be called any number of times and gives the same answer each time, decoded anew from the message
    /// that the handle keeps; only a result with descriptors in it ([`Handle`](crate::Handle)) exists once
    /// and is [`JoinError::Taken`] from then on. A result that was sent counts even if the child died after it, in
    /// an exit handler for instance: [`exit_status`](Self::exit_status) tells.
    ///
    /// # Errors
    ///
    /// How the child ended instead: see [`JoinError`]. However it dies, this returns.
    pub fn join(&self) -> Result<T, JoinError> {
        self.end(Deadline::NEVER, |end| self.result(end)).unwrap_or_else(|| Err(JoinError::Lost(self.child.unknown())))
    }

    /// [`join`](Self::join), but not longer than `timeout`; `None` if the child is still running then.
    pub fn join_timeout(&self, timeout: Duration) -> Option<Result<T, JoinError>> {
        self.end(Deadline::after(timeout), |end| self.result(end))
    }

    /// [`join`](Self::join) without waiting; `None` if the child is still running.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn answer() -> u8 { 42 }
    /// # fn main() -> mp::Result<()> {
    /// let child = mp::spawn(answer, ())?;
    /// let result = loop {
    ///     match child.try_join() {
    ///         Some(result) => break result?,
    ///         None => std::thread::yield_now(), // something useful
    ///     }
    /// };
    /// assert_eq!(result, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_join(&self) -> Option<Result<T, JoinError>> {
        self.join_timeout(Duration::ZERO)
    }

    fn result(&self, end: &End) -> Result<T, JoinError> {
        let Outcome::Value(message) = &end.outcome else { return Err(self.child.join_error(end)) };
        if !message.claim() {
            return Err(JoinError::Taken(self.child.ended(end)));
        }
        let mut decoder = Decoder::new(message);
        let value = T::decode(&mut decoder).and_then(|value| decoder.finish().map(|()| value));
        value.map_err(|error| JoinError::Undecodable(self.child.ended(end), error.context("it does not decode")))
    }
}

impl Process<Untyped> {
    /// Waits for the child's end. The result stays with the handle that knows its type.
    ///
    /// # Errors
    ///
    /// How the child ended, if it did not return: see [`JoinError`].
    pub fn join(&self) -> Result<(), JoinError> {
        self.end(Deadline::NEVER, |end| self.outcome(end)).unwrap_or_else(|| Err(JoinError::Lost(self.child.unknown())))
    }

    /// [`join`](Self::join), but not longer than `timeout`; `None` if the child is still running then.
    pub fn join_timeout(&self, timeout: Duration) -> Option<Result<(), JoinError>> {
        self.end(Deadline::after(timeout), |end| self.outcome(end))
    }

    fn outcome(&self, end: &End) -> Result<(), JoinError> {
        match &end.outcome {
            Outcome::Value(_) => Ok(()),
            _ => Err(self.child.join_error(end)),
        }
    }
}

impl<T> Process<T> {
    pub(super) fn from_child(child: Arc<Child>, kill_on_drop: bool) -> Self {
        child.add_handle();
        Self { child, kill_on_drop, result: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.child.name()
    }

    /// Gives it another name here, for this process's messages; the child keeps its own.
    pub fn set_name(&self, name: impl Into<String>) {
        self.child.set_name(name.into());
    }

    /// Its process id. Python's `pid` and `ident`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Whether it is terminated at the normal end of this process.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.child.is_daemon()
    }

    /// Whether it has not ended yet.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn wait_for_ever() { loop { std::thread::park() } }
    /// # fn main() -> mp::Result<()> {
    /// let child = mp::spawn(wait_for_ever, ())?;
    /// assert!(child.is_alive());
    /// child.kill()?;
    /// child.join().unwrap_err();
    /// assert!(!child.is_alive());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self.child.wait(Deadline::after(Duration::ZERO)), Ok(None))
    }

    /// How it ended; `None` while it is running, and where someone else collected the status.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.ended()?.exit.map(status)
    }

    /// What it has used; `None` while it is running, and where someone else collected the status.
    #[must_use]
    pub fn rusage(&self) -> Option<ResourceUsage> {
        self.ended()?.exit.map(ResourceUsage::from)
    }

    /// Sends a signal to all processes of the group that it leads, if it does.
    pub(crate) fn signal_group(&self, signal: i32) {
        self.child.signal_group(signal);
    }

    /// Asks it to end: SIGTERM. It is not waited for, and its own children are not asked; but unless they
    /// were told otherwise they end when it does ([`OnParentDeath`](crate::OnParentDeath)).
    ///
    /// # Errors
    ///
    /// EPERM, if it has taken another user's identity.
    pub fn terminate(&self) -> Result<()> {
        self.signal(libc::SIGTERM)
    }

    /// Ends it: SIGKILL.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn kill(&self) -> Result<()> {
        self.signal(libc::SIGKILL)
    }

    /// What Ctrl-C sends: SIGINT.
    ///
    /// # Errors
    ///
    /// As [`terminate`](Self::terminate).
    pub fn interrupt(&self) -> Result<()> {
        self.signal(libc::SIGINT)
    }

    /// Sends it any signal, by number; see `signal(7)`. A process that reused its pid can not be hit.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that is no signal, and as [`terminate`](Self::terminate).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn wait_for_ever() { loop { std::thread::park() } }
    /// # fn main() -> mp::Result<()> {
    /// let child = mp::spawn(wait_for_ever, ())?;
    /// child.signal(10)?; // SIGUSR1, which nobody handles here
    /// assert_eq!(child.join().unwrap_err().ended().signal(), Some(10));
    /// # Ok(())
    /// # }
    /// ```
    pub fn signal(&self, signal: i32) -> Result<()> {
        self.child.signal(signal)
    }

    /// Gives it up: no handle, no entry in [`active_children`], and at the normal end of this process it is
    /// neither terminated nor waited for.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn wait_for_ever() { loop { std::thread::park() } }
    /// # fn main() -> mp::Result<()> {
    /// mp::spawn(wait_for_ever, ())?.detach(); // ends with this program
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What happens to it then, [`OnParentDeath`](crate::OnParentDeath) says. It leaves no zombie.
    pub fn detach(mut self) {
        self.kill_on_drop = false;
        children::forget(&self.child);
    }

    #[cfg(feature = "tokio")]
    pub(super) fn child(&self) -> &Arc<Child> {
        &self.child
    }

    /// What `read` makes of the end; `None` if it has not come before the deadline.
    fn end<R>(
        &self,
        deadline: Deadline,
        read: impl FnOnce(&End) -> Result<R, JoinError>,
    ) -> Option<Result<R, JoinError>> {
        match self.child.wait(deadline) {
            Ok(end) => end.map(|end| read(&end)),
            Err(error) => Some(Err(JoinError::Wait(self.child.unknown(), error))),
        }
    }

    fn ended(&self) -> Option<Arc<End>> {
        self.child.wait(Deadline::after(Duration::ZERO)).ok()?
    }
}

impl<T> Drop for Process<T> {
    fn drop(&mut self) {
        if self.kill_on_drop {
            self.child.signal(libc::SIGKILL).ok();
        }
        if self.child.drop_handle() {
            reaper::adopt(Arc::clone(&self.child));
        }
    }
}

impl<T> AsFd for Process<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.child.as_fd()
    }
}

impl<T> fmt::Debug for Process<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.child, f)
    }
}
