//! Items of work run in this process, by the thread that has them.

use std::{
    process, thread,
    time::{Duration, Instant},
};

use super::{
    TargetName, Work,
    options::Fault,
    order::{Arguments, Order, Settlement},
    perform,
};
use crate::{
    codec::{Decoder, Encoded, Encoder, HEADER, Message, lengths, scratch},
    error::{Error, FactsOfTask, Result, TaskError, TaskFacts},
    process::Can,
};

/// What a thread keeps between items.
#[derive(Debug, Default)]
pub(super) struct Runner {
    /// Its name, if it is a pool's.
    worker: Option<String>,
    /// The target that it ran last.
    latest: Option<(TargetName, Result<Can>)>,
}

/// What became of an item.
#[derive(Debug)]
pub(super) enum Ran {
    /// It is to be tried again after so long.
    Again(Duration),
    /// It is to be settled.
    Done(Result<Encoder, TaskError>),
}

impl Runner {
    pub(super) fn new(worker: &str) -> Self {
        Self { worker: Some(worker.to_owned()), latest: None }
    }

    /// Runs the next item once.
    pub(super) fn run(&mut self, work: &Work) -> Ran {
        let (order, item) = (&*work.order, work.items.start);
        let begun = Instant::now();
        let attempt = self.attempt(order, item);
        order.spend(begun.elapsed());
        if work.is_cancelled() {
            return Ran::Done(Err(TaskError::Cancelled(TaskFacts::new(self.facts(order, item)))));
        }
        match attempt {
            Ok(encoder) => Ran::Done(Ok(encoder)),
            Err(error) => match order.failed(item, error) {
                Ok(pause) => Ran::Again(pause),
                Err(error) => Ran::Done(Err(error)),
            },
        }
    }

    fn attempt(&mut self, order: &Order, item: u32) -> Result<Encoder, TaskError> {
        let known = |runner: &Self| TaskFacts::new(runner.facts(order, item));
        match order.fault(item) {
            Some(Fault::Kill) => return Err(TaskError::Killed(known(self))),
            Some(Fault::Undecodable) => {
                let why = "its arguments do not decode, as a test wants it";
                return Err(TaskError::Refused(known(self), Error::decode(why)));
            }
            Some(Fault::Delay(time)) => thread::sleep(time),
            None => {}
        }
        if self.latest.as_ref().is_none_or(|(name, _)| *name != order.target) {
            self.latest = Some((order.target.clone(), perform::find(&order.target)));
        }
        let message = match message(order, item) {
            Ok(message) => message,
            Err(error) => return Err(TaskError::Refused(known(self), error)),
        };
        let mut encoder = Encoder::spilling_from(usize::MAX);
        if let Some((_, found)) = &self.latest {
            perform::run(found, &mut (), &mut Decoder::new(&message), &mut encoder, || self.facts(order, item))?;
        }
        message.recycle();
        Ok(encoder)
    }

    /// Says what became of the next item.
    pub(super) fn settle(&self, work: &mut Work, result: Result<Encoder, TaskError>) {
        let encoder = match result {
            Ok(encoder) => encoder,
            Err(error) => return work.settle(Err(error)),
        };
        let item = work.items.start;
        if encoder.is_plain() && encoder.length() <= SMALL {
            let mut measured = scratch::take();
            lengths::put(&mut measured, encoder.body());
            work.order.settled().values(item, 1, &measured);
            work.items.next();
            work.order.close(1);
            return scratch::put_back(measured);
        }
        let message = if encoder.is_plain() {
            Ok(Message::plain(0, encoder.into_parcel().into_body()))
        } else {
            encoder.finish(0).and_then(Encoded::into_message)
        };
        match message {
            Ok(message) => {
                work.items.next();
                work.order.settle(Settlement::Message(item, Box::new(message)));
            }
            Err(error) => {
                let facts = TaskFacts::new(self.facts(&work.order, item));
                work.settle(Err(TaskError::Undecodable(facts, error)));
            }
        }
    }

    /// What is known of an item that this thread has.
    pub(super) fn facts(&self, order: &Order, item: u32) -> FactsOfTask {
        let worker = self.worker.as_ref().map(|name| (name.clone(), process::id()));
        FactsOfTask { worker, ..order.facts(item, order.attempt(item)) }
    }
}

/// A larger result stays where it is, instead of being copied to the others of its order.
const SMALL: usize = 64 << 10;

/// The arguments of an item, as if they had come in.
fn message(order: &Order, item: u32) -> Result<Message> {
    match (&order.arguments, order.bytes(item)) {
        (Arguments::One(parcel), None) => parcel.message(0),
        (_, bytes) => {
            let mut buffer = scratch::take();
            buffer.extend_from_slice(&[0; HEADER]);
            buffer.extend_from_slice(bytes.unwrap_or_default());
            Ok(Message::plain(0, buffer))
        }
    }
}
