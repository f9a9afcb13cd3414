//! How a process ended, as data.

use std::fmt;

use nix::sys::signal::Signal;

/// The exit status of an ended process, as `waitid(2)` gave it.
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
/// let child = mp::spawn(wait_for_ever, ())?;
/// assert!(child.exit_status().is_none());
/// child.terminate()?;
/// child.join().unwrap_err();
/// let status = child.exit_status().unwrap();
/// assert_eq!((status.signal(), status.signal_name()), (Some(15), Some("SIGTERM")));
/// assert_eq!(status.as_python(), -15);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
    core_dumped: bool,
}

impl ExitStatus {
    pub(crate) fn exited(code: i32) -> Self {
        Self { code: Some(code), signal: None, core_dumped: false }
    }

    pub(crate) fn signaled(signal: i32, core_dumped: bool) -> Self {
        Self { code: None, signal: Some(signal), core_dumped }
    }

    /// The exit code, if the process exited by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        self.code
    }

    /// The number of the signal that ended it, if one did.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        self.signal
    }

    /// The name of that signal: `SIGKILL`.
    #[must_use]
    pub fn signal_name(self) -> Option<&'static str> {
        Signal::try_from(self.signal?).ok().map(Signal::as_str)
    }

    /// Whether it left a core dump.
    #[must_use]
    pub fn core_dumped(self) -> bool {
        self.core_dumped
    }

    /// Whether it exited by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self.code == Some(0)
    }

    /// Python's `exitcode`: the code, or the negative number of the signal.
    #[must_use]
    pub fn as_python(self) -> i32 {
        self.code.or(self.signal.map(|signal| -signal)).unwrap_or_default()
    }
}

/// `exit code 3`, `signal SIGSEGV (core dumped)`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal_name(), self.signal) {
            (Some(code), ..) => write!(f, "exit code {code}")?,
            (None, Some(name), _) => write!(f, "signal {name}")?,
            (None, None, number) => write!(f, "signal {}", number.unwrap_or_default())?,
        }
        f.write_str(if self.core_dumped { " (core dumped)" } else { "" })
    }
}

impl fmt::Debug for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExitStatus({self})")
    }
}
