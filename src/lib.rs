//! Run annotated functions in child processes with the ease of a thread.

pub use mp_macros::process_target;
pub use mp_runtime::{
    AuthKey, Builder, CurrentProcess, Ended, Error, ExitStatus, Handle, Job, JoinError, Never, OnParentDeath, Panic,
    ParentProcess, Process, ResourceUsage, Result, Stdio, Target, TargetId, Untyped, active_children, at_exit,
    cpu_count, current_process, parent_process, set_executable, spawn,
};

#[doc(hidden)]
pub use mp_runtime::__private;
