//! What is done and timed with a child at the other end, whoever carries the messages.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use multiprocess as mp;

use crate::Failure;

/// One turn: so many batches of messages, and after each an answer.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) batches: u32,
    pub(crate) batch: u32,
}

impl Work {
    pub(crate) fn messages(self) -> u32 {
        self.batches * self.batch
    }

    /// Does it, as this process; every answer must be the one that is expected.
    pub(crate) fn time<S: Into<Failure>, A: Into<Failure>>(
        self,
        expected: u64,
        send: impl Fn() -> Result<(), S>,
        answer: impl Fn() -> Result<u64, A>,
    ) -> Result<Duration, Failure> {
        let start = Instant::now();
        for _ in 0..self.batches {
            for _ in 0..self.batch {
                send().map_err(Into::into)?;
            }
            let answer = answer().map_err(Into::into)?;
            if answer != expected {
                return Err(format!("the answer is {answer}, not {expected}").into());
            }
        }
        Ok(start.elapsed())
    }
}

/// What a child has to say when it ends.
pub(crate) type Served = Result<(), String>;

/// The child's side of it: `receive` says what a message weighs, or that there are no more.
pub(crate) fn serve<E: ToString>(
    batch: u32,
    receive: impl Fn() -> Result<Option<u64>, E>,
    answer: impl Fn(u64) -> Result<(), E>,
) -> Served {
    loop {
        let mut weight = 0;
        for _ in 0..batch {
            match receive().map_err(|error| error.to_string())? {
                Some(more) => weight += more,
                None => return Ok(()),
            }
        }
        answer(weight).map_err(|error| error.to_string())?;
    }
}

/// A child that serves until its connection ends, and our end of that.
pub(crate) struct Peer<C> {
    connection: C,
    child: mp::Process<Served>,
}

impl<C> Peer<C> {
    pub(crate) fn new(connection: C, child: mp::Process<Served>) -> Self {
        Self { connection, child }
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        drop(self.connection);
        Ok(self.child.join()??)
    }
}

impl<C> Deref for Peer<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}
