//! What a child says when it is done, and what it could not say: the messages on its control socket.

use std::{os::fd::AsFd, process::ExitCode};

use super::target::{Arguments as _, Output as _, Target};
use crate::{
    codec::{Decoder, Encoded, Encoder, Message},
    error::{Error, Panic, Result},
    fault::{self, Step},
    ipc::{Incoming, try_recv},
    sys::socket::Wait,
};

/// The kinds of message on a control socket.
pub(super) mod kind {
    /// To the child: who it is and what to run.
    pub(crate) const PREPARATION: u8 = 1;
    /// From a child that was asked to show that it understands.
    pub(crate) const HELLO: u8 = 2;
    /// The function returned this.
    pub(crate) const VALUE: u8 = 3;
    /// The function panicked.
    pub(crate) const PANICKED: u8 = 4;
    /// The target is unknown, or its arguments cannot be decoded.
    pub(crate) const REFUSED: u8 = 5;
    /// The function returned, but the result cannot be encoded.
    pub(crate) const UNENCODABLE: u8 = 6;
    /// The stack is used up; the process is about to end by SIGSEGV.
    pub(crate) const STACK_OVERFLOW: u8 = 7;
    /// To a child, before its preparation: what to run before its target.
    pub(crate) const PRELOAD: u8 = 8;
    /// To a child that is to be a fork server: what that needs.
    pub(crate) const SERVE: u8 = 9;
    /// From a fork server: it can fork.
    pub(crate) const READY: u8 = 10;
    /// From a fork server: it cannot, for this reason.
    pub(crate) const UNFIT: u8 = 11;
    /// To a fork server: a child is wanted, for the socket that comes along.
    pub(crate) const FORK: u8 = 12;
    /// From a fork server on the new child's socket: who it is.
    pub(crate) const FORKED: u8 = 13;
    /// From a fork server on the socket that was for a child: there is none, for this reason.
    pub(crate) const NOT_FORKED: u8 = 14;
    /// To a forked child, before its preparation: where it is.
    pub(crate) const PLACE: u8 = 15;
    /// To a forked child that waits: there will be something to do at once.
    pub(crate) const WAKE: u8 = 16;
}

/// How running a target in a child went.
#[doc(hidden)]
#[derive(Debug)]
pub struct Ran(pub(super) How);

#[derive(Debug)]
pub(super) enum How {
    Returned(Encoded),
    /// The function returned an exit code other than success.
    Exit(ExitCode),
    Refused(Error),
    Unencodable(Error),
}

/// Decode, call, encode: what an [`Entry`](super::Entry) points to. The arguments begin at `position` of the message.
pub(super) fn run<T: Target>(message: Message, position: usize) -> Ran {
    let mut decoder = Decoder::resume(&message, position);
    let arguments = match T::Args::decode(&mut decoder).and_then(|arguments| decoder.finish().map(|()| arguments)) {
        Ok(arguments) => arguments,
        Err(error) => return Ran(How::Refused(error.context("its arguments do not decode"))),
    };
    // The memory that they came in is not needed while the target runs; a small buffer is, for what it returns.
    message.recycle();
    fault::point(Step::Decoded);
    let output = match T::call(arguments) {
        Ok(output) => output,
        Err(code) => return Ran(How::Exit(code)),
    };
    fault::point(Step::Returned);
    let mut encoder = Encoder::default();
    Ran(match encoder.put(output.value()).and_then(|()| encoder.finish(kind::VALUE)) {
        Ok(encoded) => How::Returned(encoded),
        Err(error) => How::Unencodable(error.context("it does not encode")),
    })
}

/// The child's last word, as the parent reads it.
#[derive(Debug)]
pub(super) enum Outcome {
    Value(Message),
    Panicked(Box<Panic>),
    Refused(Error),
    /// The result did not make it: it could not be encoded, or what came is no message.
    Lost(Error),
    StackOverflow,
    /// It ended without a word.
    Silent,
}

/// Reads everything that an ended child has left on its socket, behind what it had `said` before. What counts is the first
/// outcome; what comes from exit handlers after it (another panic, an overflow) does not change that it was reached.
pub(super) fn collect(socket: impl AsFd, said: &mut Vec<Message>) -> Outcome {
    loop {
        match try_recv(&socket) {
            Ok(Incoming::Message(message)) => said.push(message),
            Ok(Incoming::Nothing | Incoming::End) => break,
            Err(error) => return Outcome::Lost(error),
        }
    }
    let mut outcome = Outcome::Silent;
    for message in said.drain(..) {
        outcome = match (read(message), outcome) {
            (Ok(None), before) => before,
            (Ok(Some(Outcome::Value(_))), Outcome::Value(_)) => {
                return Outcome::Lost(Error::protocol("the child sent two results"));
            }
            (Ok(Some(outcome)), Outcome::Silent | Outcome::StackOverflow) => outcome,
            (Ok(Some(_)), before) => before,
            (Err(error), _) => return Outcome::Lost(error),
        };
    }
    outcome
}

fn read(message: Message) -> Result<Option<Outcome>> {
    let text = |message: &Message| Decoder::new(message).take::<String>();
    Ok(match message.kind() {
        kind::HELLO => None,
        kind::VALUE => Some(Outcome::Value(message)),
        kind::PANICKED => Some(Outcome::Panicked(Box::new(Decoder::new(&message).take()?))),
        kind::REFUSED => Some(Outcome::Refused(Error::refused(text(&message)?))),
        kind::UNENCODABLE => Some(Outcome::Lost(Error::refused(text(&message)?))),
        kind::STACK_OVERFLOW => Some(Outcome::StackOverflow),
        other => return Err(Error::protocol(format!("the child sent a message of kind {other}"))),
    })
}

/// Says `value`, in a message of this kind. The parent may be gone: then there is nobody left to tell.
pub(super) fn tell(socket: impl AsFd, kind: u8, value: &impl serde::Serialize) -> Result<()> {
    let mut encoder = Encoder::default();
    encoder.put(value)?;
    send(socket, &encoder.finish(kind)?)
}

/// Sends on a control socket, which has room for everything that is ever sent on it.
pub(super) fn send(socket: impl AsFd, message: &Encoded) -> Result<()> {
    message.send(socket, Wait::No).map_err(|error| Error::os("send a message", error))
}
