//! Everybody on one core, so that a round trip is two switches between processes and nothing of the scheduler's luck.

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
        let before = sched_getaffinity(THIS_THREAD)?;
        let mut cores = 0..CpuSet::count();
        let core = cores.find(|&core| before.is_set(core) == Ok(true)).ok_or(Errno::EINVAL)?;
        let mut one = CpuSet::new();
        one.set(core)?;
        sched_setaffinity(THIS_THREAD, &one)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        sched_setaffinity(THIS_THREAD, &self.before).ok();
    }
}
