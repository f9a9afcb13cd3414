//! A copy of the server on its way to its target.

use std::{
    convert::Infallible,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use super::{place, serve::Fresh};
use crate::{
    codec::Message,
    error::{Error, Result},
    fault::{self, Step},
    ipc::{Incoming, recv_trusted},
    process::{
        bootstrap::{self, Origin},
        lifeline,
        outcome::kind,
    },
    sys::{exit::exit_now, fcntl, signal, socket::Wait},
};

/// How long a child that was woken looks for its message before it sleeps again: its parent is about to send it.
const AWAKE: Duration = Duration::from_micros(100);

/// Waits for what it is to do, and does it.
pub(super) fn run(fresh: Fresh) -> Result<Infallible> {
    let Fresh { forked, waits, control, lifeline, servers_lifeline, orders, working, buffer } = fresh;
    // Each in the place of the server's, which is thereby closed, and where any child has it.
    fcntl::replace(orders, control).map_err(|error| Error::os("put the control socket into place", error))?;
    let control = orders;
    let ready = || -> Result<Message> {
        fault::point(Step::Forked);
        fcntl::replace(servers_lifeline, lifeline).map_err(|error| Error::os("watch the parent", error))?;
        lifeline::forget_own();
        signal::unblock_all().map_err(|error| Error::os("reset the signals", error))?;
        if waits {
            working.touch(&forked);
        }
        let place = receive_place(control, buffer)?;
        place::enter(&place, &forked)?;
        expect(recv_trusted(control, place.into_buffer(), Wait::Yes)?, kind::PREPARATION)
    };
    let served = ready();
    let served = served.and_then(|message| bootstrap::run(control, servers_lifeline, message, Origin::Forked));
    bootstrap::leave_with(control, served)
}

/// Waits for its place, however often it is woken for nothing.
fn receive_place(control: &OwnedFd, mut buffer: Vec<u8>) -> Result<Message> {
    // Until when it does not sleep.
    let mut awake: Option<Instant> = None;
    loop {
        let is_awake = awake.is_some_and(|until| Instant::now() < until);
        match recv_trusted(control, buffer, if is_awake { Wait::No } else { Wait::Yes })? {
            Incoming::Nothing => buffer = Vec::new(),
            Incoming::Message(message) if message.kind() == kind::WAKE => {
                awake = Some(Instant::now() + AWAKE);
                buffer = message.into_buffer();
            }
            other => return expect(other, kind::PLACE),
        }
    }
}

fn expect(incoming: Incoming, kind: u8) -> Result<Message> {
    match incoming {
        Incoming::Message(message) if message.kind() == kind => Ok(message),
        Incoming::Message(message) => {
            Err(Error::protocol(format!("a message is of kind {}, not {kind}", message.kind())))
        }
        // It is not needed, and nothing has run in it that would have to be put in order.
        Incoming::Nothing | Incoming::End => exit_now(0),
    }
}
