//! From nothing to a server that can fork.

use std::{os::fd::OwnedFd, sync::atomic::AtomicU64};

use nix::libc;

use super::{
    super::spawn,
    plan::Plan,
    running::{KNOWN, Running, wait},
    stock::Stock,
    wire::{Ready, Setup},
};
use crate::{
    codec::{Decoder, Encoder, Handle},
    error::{Error, Panic, Result},
    ipc::{Incoming, try_recv},
    process::{
        current::current,
        current_process,
        options::{Environment, Options},
        outcome::{self, kind},
        status::status,
    },
    shm::words::Words,
    sys::{
        clone::{self, Child},
        credentials::Credentials,
        pidfd,
        poll::{self, Deadline},
        socket, waitid,
    },
};

impl Running {
    /// Executes this program as a server, and waits until it can fork.
    pub(super) fn start(plan: &Plan) -> Result<Self> {
        let running = Self::execute(plan).map_err(|error| error.context("cannot start the fork server"))?;
        // Who starts something needs one child; what is missing is ordered later, or asked for by `prepare`.
        running.fill(plan.warm).ok();
        Ok(running)
    }

    fn execute(plan: &Plan) -> Result<Self> {
        check_namespace()?;
        let credentials = Credentials::current().map_err(|error| Error::os("ask who this process is", error))?;
        let (known, memory) =
            Words::create(KNOWN).map_err(|error| Error::os("make memory that is shared with it", error))?;
        let (orders, servers_end) =
            socket::seqpacket_pair().map_err(|error| Error::os("make its control socket", error))?;
        tell(&orders, plan, memory)?;
        let environment = Environment::default().block()?;
        let server = spawn::exec(Options::new(true), None, environment.clone(), &servers_end)?;
        drop(servers_end);
        let Ready { directory, has_its_environment, .. } = match wait_until_ready(&orders, &server) {
            Ok(ready) => ready,
            Err(error) => {
                socket::shut_down(&orders).ok();
                pidfd::send_signal(&server.pidfd, libc::SIGKILL).ok();
                clone::reap(&server);
                return Err(error);
            }
        };
        Ok(Self {
            owner: std::process::id(),
            server,
            orders,
            known,
            tickets: AtomicU64::new(1),
            credentials,
            environment: has_its_environment.then_some(environment),
            directory: directory.into(),
            stock: Stock::default(),
        })
    }
}

/// Says what it is to be, before it is there.
fn tell(orders: &OwnedFd, plan: &Plan, known: OwnedFd) -> Result<()> {
    let current = current();
    let mut encoder = Encoder::default();
    encoder.put(&Setup {
        depth: current.depth() + 1,
        parent_name: current_process().name(),
        parent_pid: std::process::id(),
        authkey: current.authkey()?.secret().clone(),
        known: Handle::new(known),
        preloads: plan.preloads.len(),
    })?;
    outcome::send(orders, &encoder.finish(kind::SERVE)?)?;
    plan.preloads.iter().try_for_each(|preload| outcome::send(orders, preload.message()?))
}

fn wait_until_ready(orders: &OwnedFd, server: &Child) -> Result<Ready> {
    loop {
        let dead = wait(orders, server)?;
        let message = match try_recv(orders)? {
            Incoming::Message(message) => message,
            Incoming::Nothing if !dead => continue,
            Incoming::Nothing | Incoming::End => return Err(ended(server)),
        };
        let mut decoder = Decoder::new(&message);
        return match message.kind() {
            kind::READY => decoder.take(),
            kind::UNFIT => Err(decoder.take::<Error>()?),
            // Of a program that is built to abort then.
            kind::PANICKED => Err(Error::refused(format!("a preload function panicked: {}", decoder.take::<Panic>()?))),
            other => Err(Error::protocol(format!("it sent a message of kind {other}"))),
        };
    }
}

fn ended(server: &Child) -> Error {
    if let Err(error) = poll::readable(&server.pidfd, Deadline::NEVER) {
        return Error::os("wait for its end", error);
    }
    let status = waitid::try_reap(&server.pidfd).ok().flatten().map(|exit| status(exit).to_string());
    Error::refused(format!("it ended before it was ready ({})", status.as_deref().unwrap_or("status unknown")))
}

/// It would be the first process of a PID namespace, whose children are its own; and to try it is to use the namespace up.
fn check_namespace() -> Result<()> {
    let namespace = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
    if namespace("pid") == namespace("pid_for_children") {
        return Ok(());
    }
    Err(Error::unsupported(
        "it would be in another PID namespace than this process (unshare(2), CLONE_NEWPID), and its children, too; use start method \
         `spawn`, or allow it by `or_spawn`",
    ))
}
