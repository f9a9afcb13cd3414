//! Everybody on one core, so that a round trip is two switches between processes and nothing of the scheduler's luck; or two
//! processes on a core each, or everybody on two.

use nix::{
    errno::Errno,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::Failure;

/// While it is there, this thread and the children that it starts stay on one core.
pub(crate) struct Pinned {
    before: CpuSet,
}

const THIS_THREAD: Pid = Pid::from_raw(0);

impl Pinned {
    pub(crate) fn to_one_core() -> Result<Self, Failure> {
        Self::to(cores()?[0])
    }

    pub(crate) fn to(core: usize) -> Result<Self, Failure> {
        Self::to_any(&[core])
    }

    /// On either of two.
    pub(crate) fn to_both(first: usize, second: usize) -> Result<Self, Failure> {
        Self::to_any(&[first, second])
    }

    fn to_any(cores: &[usize]) -> Result<Self, Failure> {
        let before = sched_getaffinity(THIS_THREAD)?;
        let mut set = CpuSet::new();
        cores.iter().try_for_each(|&core| set.set(core))?;
        sched_setaffinity(THIS_THREAD, &set)?;
        Ok(Self { before })
    }
}

/// The cores that this thread may run on: one at least.
pub(crate) fn cores() -> Result<Vec<usize>, Failure> {
    let allowed = sched_getaffinity(THIS_THREAD)?;
    let cores: Vec<usize> = (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true)).collect();
    if cores.is_empty() { Err(Errno::EINVAL.into()) } else { Ok(cores) }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        sched_setaffinity(THIS_THREAD, &self.before).ok();
    }
}
