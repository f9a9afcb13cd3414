//! What happens, for whoever wants to follow it: feature `tracing`. Without it, nothing is compiled in.
//!
//! Python's logger of this name tells the same: starts and ends.

use std::fmt::Display;

use crate::error::ExitStatus;

/// A child has been started.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is nobody to tell"))]
pub(crate) fn started(name: &str, pid: u32, target: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: "multiprocess", name, pid, process_target = target, "process started");
}

/// A child has ended and was collected. `None`: its status was collected by someone else.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is nobody to tell"))]
pub(crate) fn ended(name: &str, pid: u32, status: Option<ExitStatus>) {
    #[cfg(feature = "tracing")]
    match status {
        Some(status) => tracing::debug!(target: "multiprocess", name, pid, %status, "process ended"),
        None => {
            tracing::warn!(target: "multiprocess", name, pid, "process ended, its status was collected by someone else")
        }
    }
}

/// A start failed.
#[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "there is nobody to tell"))]
pub(crate) fn refused(name: &str, error: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "multiprocess", name, %error, "process not started");
}
