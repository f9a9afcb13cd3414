//! Processes: from the annotated function to the joined result.
//!
//! In the order of a call: `target` and `registry` (what can run), `builder` and `options` (what the caller
//! wants; `context` for many), `preparation` (what the child is told), `launch` (how it starts); then, in the child, `bootstrap`,
//! `preload`, `outcome`, `panic_hook`; and in the parent again `handle`, `child`, `children`, `reaper`, `status`. `current`,
//! `lifeline` and `exit` are about this process itself and its place in the tree.

mod authkey;
mod bootstrap;
mod builder;
mod child;
mod children;
mod context;
mod current;
mod exit;
pub(crate) mod exit_code;
mod handle;
#[cfg(feature = "tokio")]
mod join_async;
mod launch;
mod lifeline;
mod oom;
mod options;
mod outcome;
pub(crate) mod panic_hook;
mod perform;
mod preload;
mod preparation;
mod reaper;
pub(crate) mod registry;
mod status;
mod stdio;
mod target;

pub use authkey::AuthKey;
pub use builder::{Builder, spawn};
pub use context::Context;
pub use current::{CurrentProcess, ParentProcess, cpu_count, current_process, parent_process};
pub use exit::at_exit;
pub use handle::{Process, Untyped, active_children};
pub use launch::{StartMethod, all_start_methods};
pub use lifeline::OnParentDeath;
pub use options::set_executable;
pub use outcome::Ran;
pub(crate) use perform::Performed;
pub use perform::{StateTarget, WorkerTarget};
pub use preload::{PreloadTarget, preloaded};
pub use status::ResourceUsage;
pub use stdio::Stdio;
pub(crate) use target::Can;
pub use target::{Argument, Arguments, Entry, Job, JobTarget, Never, Output, Target, TargetId};
