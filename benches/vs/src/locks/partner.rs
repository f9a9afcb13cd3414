//! A child that does its half of the work, as often as it is told to.

use std::time::{Duration, Instant};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{Done, said};
use crate::{Failure, pinned::Pinned};

pub(crate) struct Partner {
    connection: mp::Connection<u32, ()>,
    child: mp::Process<Done>,
}

/// What the child gets beside the things that it works with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Orders {
    connection: mp::Connection<(), u32>,
    /// Its own; else it stays where it was started.
    core: Option<usize>,
}

impl Partner {
    /// Starts a child that works with the same `things`.
    pub(crate) fn start<T, F>(target: F, things: T, core: Option<usize>) -> Result<Self, Failure>
    where
        F: mp::Target<Args = (Orders, T), Output = Done>,
    {
        let (connection, theirs) = mp::pipe()?;
        let orders = Orders { connection: theirs, core };
        Ok(Self { connection, child: mp::spawn(target, (orders, things))? })
    }

    /// How long it takes until both have done their half, so many times each.
    pub(crate) fn time(&self, count: u32, half: impl FnOnce(u32) -> Done) -> Result<Duration, Failure> {
        let start = Instant::now();
        self.begin(count)?;
        half(count)?;
        self.finish()?;
        Ok(start.elapsed())
    }

    /// Has it do its half, so many times.
    pub(crate) fn begin(&self, count: u32) -> Result<(), Failure> {
        Ok(self.connection.send(&count)?)
    }

    /// Waits until it has done what it has begun.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        Ok(self.connection.recv()?)
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        drop(self.connection);
        Ok(self.child.join()??)
    }
}

impl Orders {
    /// The child's side of it.
    pub(crate) fn obey(self, half: impl Fn(u32) -> Done) -> Done {
        let _pinned = self.core.map(Pinned::to).transpose().map_err(said)?;
        loop {
            match self.connection.recv() {
                Ok(count) => half(count)?,
                Err(mp::RecvError::Disconnected) => return Ok(()),
                Err(error) => return Err(said(error)),
            }
            self.connection.send(&()).map_err(said)?;
        }
    }
}

/// How long so many steps take, alone.
pub(crate) fn alone(count: u32, mut step: impl FnMut() -> Done) -> Result<Duration, Failure> {
    let start = Instant::now();
    for _ in 0..count {
        step()?;
    }
    Ok(start.elapsed())
}
