//! How a process ended, as data.

use std::{fmt, time::Duration};

use crate::sys::waitid::{Exit, How};

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
/// assert_eq!(status.signal(), Some(15));
/// assert_eq!(status.as_python(), -15);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExitStatus {
    code: Option<i32>,
    signal: Option<i32>,
    core_dumped: bool,
}

impl ExitStatus {
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

impl From<Exit> for ExitStatus {
    fn from(exit: Exit) -> Self {
        match exit.how {
            How::Exited(code) => Self { code: Some(code), signal: None, core_dumped: false },
            How::Signaled { signal, core_dumped } => Self { code: None, signal: Some(signal), core_dumped },
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => {
                write!(f, "signal {signal}{}", if self.core_dumped { " (core dumped)" } else { "" })
            }
            (None, None) => f.write_str("unknown"),
        }
    }
}

impl fmt::Debug for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExitStatus({self})")
    }
}

/// What an ended process has used, itself and those of its children that it has waited for; from `getrusage(2)`.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn nothing() {}
///
/// # fn main() -> mp::Result<()> {
/// let child = mp::spawn(nothing, ())?;
/// child.join()?;
/// assert!(child.rusage().unwrap().max_rss() > 100_000); // bytes
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResourceUsage {
    user_time: Duration,
    system_time: Duration,
    max_rss: u64,
    minor_faults: u64,
    major_faults: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
}

impl ResourceUsage {
    /// Processor time spent in the program.
    #[must_use]
    pub fn user_time(&self) -> Duration {
        self.user_time
    }

    /// Processor time spent in the kernel on its behalf.
    #[must_use]
    pub fn system_time(&self) -> Duration {
        self.system_time
    }

    /// The most memory that was resident at once, in bytes.
    #[must_use]
    pub fn max_rss(&self) -> u64 {
        self.max_rss
    }

    /// Page faults served without reading from a disk.
    #[must_use]
    pub fn minor_faults(&self) -> u64 {
        self.minor_faults
    }

    /// Page faults that had to read from a disk.
    #[must_use]
    pub fn major_faults(&self) -> u64 {
        self.major_faults
    }

    /// How often it gave up the processor by waiting.
    #[must_use]
    pub fn voluntary_switches(&self) -> u64 {
        self.voluntary_switches
    }

    /// How often the processor was taken from it.
    #[must_use]
    pub fn involuntary_switches(&self) -> u64 {
        self.involuntary_switches
    }
}

impl From<Exit> for ResourceUsage {
    fn from(exit: Exit) -> Self {
        let usage = exit.usage;
        let count = |number: nix::libc::c_long| u64::try_from(number).unwrap_or_default();
        let time = |time: nix::libc::timeval| {
            Duration::from_secs(count(time.tv_sec)) + Duration::from_micros(count(time.tv_usec))
        };
        Self {
            user_time: time(usage.ru_utime),
            system_time: time(usage.ru_stime),
            max_rss: count(usage.ru_maxrss) * 1024,
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
        }
    }
}
