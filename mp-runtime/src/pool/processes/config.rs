//! What a pool was asked to be.

use std::{sync::Arc, time::Duration};

use super::trace::Trace;
use crate::{
    codec::Encoded,
    pool::{TargetName, options::TaskOptions},
    process::Context,
};

/// From the builder; it never changes.
#[derive(Debug)]
pub(super) struct Config {
    /// How workers are started.
    pub(super) context: Context,
    pub(super) name: String,
    pub(super) workers: usize,
    /// With the message of its arguments, which is the same for all workers: what is large in it lies in one file.
    pub(super) initializer: Option<(TargetName, Encoded)>,
    pub(super) state: Option<(TargetName, Encoded)>,
    pub(super) exit: Option<TargetName>,
    pub(super) max_tasks_per_child: Option<u64>,
    /// Bytes.
    pub(super) max_rss: Option<u64>,
    /// So many deaths within that time.
    pub(super) restart_limit: Option<(usize, Duration)>,
    /// Items and bytes.
    pub(super) max_pending: (usize, usize),
    pub(super) grace: Duration,
    pub(super) environment: Vec<(std::ffi::OsString, Option<std::ffi::OsString>)>,
    pub(super) options: Arc<TaskOptions>,
    pub(super) trace: Option<Trace>,
    /// Whether what workers write to stderr is shown with their name before each line.
    pub(super) tag_stderr: bool,
}
