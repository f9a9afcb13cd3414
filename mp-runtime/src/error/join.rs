//! How a child ended when it did not return.

use std::{fmt, sync::Arc};

use super::Error;

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
#[derive(Clone, Debug)]
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
            Self::Killed(_) => write!(f, "{ended} was killed by {}", SignalName(ended.signal())),
            Self::Refused(_, error) => write!(f, "{ended} could not run its target: {error}"),
            Self::Undecodable(_, error) => write!(f, "{ended} returned a result that was lost: {error}"),
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

impl std::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_, error) | Self::Undecodable(_, error) | Self::Wait(_, error) => Some(error),
            _ => None,
        }
    }
}

struct SignalName(Option<i32>);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(number) = self.0 else { return f.write_str("a signal") };
        match nix::sys::signal::Signal::try_from(number) {
            Ok(signal) => f.write_str(signal.as_str()),
            Err(_) => write!(f, "signal {number}"),
        }
    }
}

/// A child that is no more: who it was, and the exit status that the kernel kept of it.
#[derive(Clone)]
pub struct Ended(Arc<Facts>);

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) target: &'static str,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
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
        self.0.code
    }

    /// The number of the signal that ended it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        self.0.signal
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process '{}' (pid {}, target {})", self.0.name, self.0.pid, self.0.target)
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
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
