//! How a worker is started.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    bell::Bell,
    config::Config,
    core::Worker,
    desk::Desk,
    entry::{TAGGED, TRACED},
    mailbox::{LENGTH, Mailbox},
    setup::Setup,
    stderr::{LastWords, Listener},
    tags::Tagger,
    worker::Serve,
};
use crate::{
    codec::Handle,
    error::{Error, Result},
    pool::TargetName,
    shm::words::Words,
    sys::socket::{self, Wait},
};

/// Starts a worker. It is not ready yet.
pub(super) fn start(config: &Config, id: u64, bell: &Bell, memory: &OwnedFd, listener: &Listener) -> Result<Worker> {
    let name = format!("{}-{id}", config.name);
    let (words, mailbox) =
        Words::create(LENGTH).map_err(|error| Error::os("make the shared memory of a worker", error))?;
    let (ours, theirs) = socket::seqpacket_pair().map_err(|error| Error::os("make the socket of a worker", error))?;
    for (_, message) in config.initializer.iter().chain(&config.state) {
        message.send(&ours, Wait::No).map_err(|error| Error::os("send the arguments of an initializer", error))?;
    }
    let (words_said, stderr) = LastWords::new(config.tag_stderr.then(|| Tagger::new(name.clone())))?;
    let copy = |fd: &OwnedFd| fd.try_clone().map_err(|error| Error::os("duplicate a descriptor for a worker", error));
    let identity = |name: &TargetName| name.identity().clone();
    let flags = if config.trace.is_some() { TRACED } else { 0 } | if config.tag_stderr { TAGGED } else { 0 };
    let mut desk = Desk::new(Mailbox(words), ours, flags);
    // It is to say when it is ready.
    desk.want(0);
    let setup = Setup {
        mailbox: Handle::new(mailbox),
        bell: Handle::new(copy(memory)?),
        event: Handle::new(copy(bell.event())?),
        socket: Handle::new(theirs),
        initializer: config.initializer.as_ref().map(|(name, _)| identity(name)),
        state: config.state.as_ref().map(|(name, _)| identity(name)),
        exit: config.exit.as_ref().map(identity),
    };
    let mut builder = config.context.process(Serve, (setup,)).name(&*name).daemon(true).stderr(stderr);
    for (key, value) in &config.environment {
        builder = match value {
            Some(value) => builder.env(key, value),
            None => builder.env_remove(key),
        };
    }
    let process = Arc::new(builder.start()?);
    listener.add(&words_said);
    if let Some(trace) = &config.trace {
        trace.worker(process.pid(), &name);
    }
    let now = Instant::now();
    Ok(Worker {
        id,
        name,
        process,
        desk,
        words: words_said,
        started: now,
        ready: None,
        span: None,
        unready: None,
        given: 0,
        done: 0,
        busy: Duration::ZERO,
        weighed: now,
        ending: None,
    })
}
