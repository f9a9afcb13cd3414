//! A value that is encoded now and sent when it is time, as often as need be.

use std::os::fd::OwnedFd;

use serde::Serialize;

use super::{
    encoder::Encoder,
    frame::{Encoded, HEADER},
    message::Message,
};
use crate::error::Result;

/// What was encoded. Until it is sent it is nothing but memory, and the descriptors that the value itself had.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Behind room for a header.
    body: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Parcel {
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let mut encoder = Encoder::spilling_from(usize::MAX);
        encoder.put(value)?;
        Ok(encoder.into_parcel())
    }

    pub(super) fn new(body: Vec<u8>, fds: Vec<OwnedFd>) -> Self {
        Self { body, fds }
    }

    /// How many bytes it has.
    pub(crate) fn length(&self) -> usize {
        self.body.len() - HEADER
    }

    /// Its bytes, behind room for a header.
    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The message to send. A large one lies in a memfd then.
    pub(crate) fn encoded(&self, kind: u8) -> Result<Encoded> {
        Encoded::of_parts(kind, &self.body, &self.fds)
    }

    /// The message as if it had been sent and had come in, for who reads it in this process. It stays to be read again.
    pub(crate) fn message(&self, kind: u8) -> Result<Message> {
        let mut message = self.encoded(kind)?.into_message()?;
        message.keep();
        Ok(message)
    }

    /// The bytes, if nothing else belongs to it.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.body.get(HEADER..).filter(|_| self.fds.is_empty())
    }
}
