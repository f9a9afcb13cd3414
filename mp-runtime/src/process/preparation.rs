//! What a child is told before it runs: who it is, and what its target is. The arguments follow in the same message.

use super::{OnParentDeath, authkey::Secret, context::Inherited, registry::Identity};

/// Written by the parent's `start`, read by the child's hook.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Preparation {
    pub(super) name: String,
    /// The numbers in its default name: `[1, 2]` is `Process-1:2`.
    pub(super) identity: Vec<u32>,
    pub(super) daemon: bool,
    pub(super) depth: u32,
    pub(super) parent_name: String,
    pub(super) parent_pid: u32,
    pub(super) on_parent_death: OnParentDeath,
    pub(super) authkey: Secret,
    /// Whether to answer before doing anything: asked of a program that may not be one of ours.
    pub(super) greet: bool,
    /// How it starts its own children, unless it is told otherwise.
    pub(super) default: Inherited,
    pub(super) target: Identity,
}
