//! How a child ended when it did not return.

use std::{fmt, sync::Arc};

use super::{Error, ExitStatus};

/// Why there is no result: how the child ended instead of returning one.
///
/// Every variant carries an [`Ended`] that names the process, its pid, its target and its exit status.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn leave() -> u32 {
///     std::process::exit(3)
/// }
///
/// # fn main() -> mp::Result<()> {
/// match mp::spawn(leave, ())?.join() {
///     Err(mp::JoinError::Exited(ended)) => assert_eq!(ended.code(), Some(3)),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum JoinError {
    /// The function panicked. Also with `panic = "abort"`, where the process then ends by SIGABRT.
    Panicked(Ended, Box<Panic>),
    /// The child called `std::process::exit`, or the function returned an `ExitCode` other than success.
    Exited(Ended),
    /// The child called `abort` (SIGABRT), or what amounts to it: a failed allocation, a panic while panicking.
    Aborted(Ended),
    /// The function used up its stack (SIGSEGV on the guard page below it).
    StackOverflow(Ended),
    /// SIGKILL, not sent through this library, while the kernel counted an out-of-memory kill.
    OutOfMemory(Ended),
    /// Any other signal ended the child, [`Ended::signal`] says which: SIGKILL, SIGTERM, SIGSEGV, …
    Killed(Ended),
    /// The child could not run the target: it does not know it, or could not decode the arguments.
    Refused(Ended, Error),
    /// The function returned, but its result could not be encoded by the child or decoded here.
    Undecodable(Ended, Error),
    /// An earlier `join` already handed out this result, which holds file descriptors and so exists only once.
    Taken(Ended),
    /// The child ended, but someone else collected its exit status: a `waitpid(-1)` elsewhere in this program, or SIGCHLD is ignored.
    Lost(Ended),
    /// The system refused to wait for the child.
    Wait(Ended, Error),
}

impl JoinError {
    /// Which child, and how it ended.
    #[must_use]
    pub fn ended(&self) -> &Ended {
        match self {
            Self::Panicked(ended, _)
            | Self::Exited(ended)
            | Self::Aborted(ended)
            | Self::StackOverflow(ended)
            | Self::OutOfMemory(ended)
            | Self::Killed(ended)
            | Self::Refused(ended, _)
            | Self::Undecodable(ended, _)
            | Self::Taken(ended)
            | Self::Lost(ended)
            | Self::Wait(ended, _) => ended,
        }
    }

    /// The panic, if it was one.
    #[must_use]
    pub fn panic(&self) -> Option<&Panic> {
        match self {
            Self::Panicked(_, panic) => Some(panic),
            _ => None,
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended();
        match self {
            Self::Panicked(_, panic) => write!(f, "{ended} panicked at {panic}"),
            Self::Exited(_) => match ended.code() {
                Some(0) => write!(f, "{ended} exited (code 0) before its function returned"),
                Some(code) => write!(f, "{ended} exited with code {code}"),
                None => write!(f, "{ended} exited"),
            },
            Self::Aborted(_) => write!(f, "{ended} aborted (SIGABRT)"),
            Self::StackOverflow(_) => write!(f, "{ended} overflowed its stack (SIGSEGV); `ulimit -s` sets its size"),
            Self::OutOfMemory(_) => write!(f, "{ended} was killed by the kernel for want of memory (SIGKILL)"),
            Self::Killed(_) => match ended.exit_status() {
                Some(status) => write!(f, "{ended} was killed by {status}"),
                None => write!(f, "{ended} was killed"),
            },
            Self::Refused(_, error) => write!(f, "{ended} did not run its target: {error}"),
            Self::Undecodable(_, error) => write!(f, "the result of {ended} was lost: {error}"),
            Self::Taken(_) => {
                write!(
                    f,
                    "the result of {ended} was taken by an earlier join; it holds descriptors and exists only once"
                )
            }
            Self::Lost(_) => write!(
                f,
                "{ended} ended, but its exit status was taken by another wait in this program, or SIGCHLD is ignored"
            ),
            Self::Wait(_, error) => write!(f, "cannot wait for {ended}: {error}"),
        }
    }
}

/// The same as [`Display`](fmt::Display): it is what `main` prints of an error that it returns.
impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of an inner error is part of this one's.
impl std::error::Error for JoinError {}

/// A child that is no more: who it was, and the exit status that the kernel kept of it.
#[derive(Clone)]
pub struct Ended(Arc<Facts>);

pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) target: &'static str,
    /// `None`: nobody knows.
    pub(crate) status: Option<ExitStatus>,
}

impl Ended {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// The process's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The process's id; by now it may belong to another process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// The name of the target that it ran.
    #[must_use]
    pub fn target(&self) -> &str {
        self.0.target
    }

    /// The exit code, if it exited by itself.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.0.status?.code()
    }

    /// The number of the signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.0.status?.signal()
    }

    /// Both as one; `None` where someone else collected the status.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.0.status
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process '{}' (pid {}, target {})", self.0.name, self.0.pid, self.0.target)
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("target", &self.target())
            .field("status", &self.exit_status())
            .finish()
    }
}

/// A panic in a child: what the child's panic hook saw.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<(String, u32, u32)>,
    pub(crate) thread: Option<String>,
    pub(crate) backtrace: Option<String>,
}

impl Panic {
    /// The message, or a note that the payload was not text.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// File, line and column of the panic.
    #[must_use]
    pub fn location(&self) -> Option<(&str, u32, u32)> {
        self.location.as_ref().map(|(file, line, column)| (file.as_str(), *line, *column))
    }

    /// The name of the thread that panicked, if it has one; the target's own thread has none.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.thread.as_deref()
    }

    /// The stack at the panic, as text. `None` where `RUST_BACKTRACE=0` asked for none.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }
}

/// `file:line:column: message`.
impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line, column)) = &self.location {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}
