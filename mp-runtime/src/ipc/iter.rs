//! The messages of a receiver, one after another.

use serde::de::DeserializeOwned;

use super::Receiver;
use crate::error::RecvError;

/// The messages of a [`Receiver`], by [`Receiver::iter`].
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
    ended: bool,
}

/// The messages of a [`Receiver`] that the iterator owns, by its `into_iter`.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
    ended: bool,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(receiver: &'a Receiver<T>) -> Self {
        Self { receiver, ended: false }
    }
}

impl<T> IntoIter<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self { receiver, ended: false }
    }
}

impl<T: DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        next(self.receiver, &mut self.ended)
    }
}

impl<T: DeserializeOwned> Iterator for IntoIter<T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        next(&self.receiver, &mut self.ended)
    }
}

fn next<T: DeserializeOwned>(receiver: &Receiver<T>, ended: &mut bool) -> Option<Result<T, RecvError>> {
    if *ended { None } else { item(receiver.recv(), ended) }
}

/// What a stream makes of what was received, and whether it has ended with that: an error that would come again and
/// again is shown once.
pub(super) fn item<T>(received: Result<T, RecvError>, ended: &mut bool) -> Option<Result<T, RecvError>> {
    *ended = !matches!(received, Ok(_) | Err(RecvError::Undecodable(_)));
    match received {
        Err(RecvError::Disconnected) => None,
        other => Some(other),
    }
}
