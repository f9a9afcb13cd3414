//! How a process ended and what it used, from what the kernel says of it.

use std::time::Duration;

use crate::{
    error::ExitStatus,
    sys::waitid::{Exit, How},
};

/// The status in what `waitid(2)` gave.
pub(super) fn status(exit: Exit) -> ExitStatus {
    match exit.how {
        How::Exited(code) => ExitStatus::exited(code),
        How::Signaled { signal, core_dumped } => ExitStatus::signaled(signal, core_dumped),
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
