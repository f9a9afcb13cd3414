//! What all start methods have in common: the child's preparation, and what its parent keeps of it.

use std::{os::fd::OwnedFd, sync::Arc};

use super::{
    super::{
        TargetId, child::Child, children, context, current::current, options::Options, outcome::kind,
        preparation::Preparation,
    },
    ready, spawn,
};
use crate::{
    codec::{Encoder, Message},
    error::Result,
    event,
    process::current_process,
    sys::clone,
};

/// A child that has its preparation.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: clone::Child,
    pub(super) control: OwnedFd,
    /// What it has said already.
    pub(super) said: Vec<Message>,
}

/// Starts the child and hands it its preparation.
pub(crate) fn start(
    name: &str,
    identity: Vec<u32>,
    target: TargetId,
    options: Options,
    put_args: impl FnOnce(&mut Encoder) -> Result<()>,
) -> Result<Arc<Child>> {
    ready::check()?;
    children::sweep_some();
    let foreign = options.foreign_executable();
    if foreign.is_none() {
        ready::check_own_executable()?;
    }
    // Another program is executed, however others of this one are started.
    let server = options.launch.server.clone().filter(|_| foreign.is_none());
    let roused = server.as_ref().and_then(|server| server.rouse());
    let daemon = options.daemon;
    let current = current();
    let mut encoder = Encoder::default();
    encoder.put(&Preparation {
        name: name.to_owned(),
        identity,
        daemon,
        depth: current.depth() + 1,
        parent_name: current_process().name(),
        parent_pid: std::process::id(),
        on_parent_death: options.on_parent_death,
        authkey: current.authkey()?.secret().clone(),
        greet: foreign.is_some(),
        default: context::inherited(),
        target: target.into(),
    })?;
    put_args(&mut encoder)?;
    let preparation = encoder.finish(kind::PREPARATION)?;

    let started = match server.map(|server| server.start(roused, &options, &preparation)) {
        Some(Err(error)) if options.launch.or_spawn && error.is_unsupported() => None,
        Some(started) => Some(started?),
        None => None,
    };
    let Started { process, control, said } = match started {
        Some(started) => started,
        None => spawn::start(options, foreign.as_deref(), &preparation)?,
    };
    let child = Arc::new(Child::new(name.to_owned(), target, daemon, process, control, said));
    children::add(Arc::clone(&child));
    event::started(name, child.pid(), target.name());
    Ok(child)
}
