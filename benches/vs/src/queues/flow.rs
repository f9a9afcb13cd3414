//! Items flow from this process, and perhaps other producers, to consumers. All begin with a turn and end with it.

use std::time::{Duration, Instant};

use multiprocess as mp;

use super::item::Tally;
use crate::{
    Failure,
    locks::{
        Done,
        partner::{Orders, Partner},
    },
};

pub(super) struct Flow {
    tally: Tally,
    producers: u32,
    partners: Vec<Partner>,
}

impl Flow {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { tally: Tally::new()?, producers: 1, partners: Vec::new() })
    }

    /// One producer more.
    pub(super) fn with_producer<T, F>(mut self, target: F, things: T) -> Result<Self, Failure>
    where
        F: mp::Target<Args = (Orders, T), Output = Done>,
    {
        self.partners.push(Partner::start(target, things, None)?);
        self.producers += 1;
        Ok(self)
    }

    /// A consumer, who is ready when this returns.
    pub(super) fn with_consumer<T, F>(mut self, target: F, things: T) -> Result<Self, Failure>
    where
        F: mp::Target<Args = (Orders, (T, Tally)), Output = Done>,
    {
        let partner = Partner::start(target, (things, self.tally.clone()), None)?;
        partner.time(0, |_| Ok(()))?;
        self.partners.push(partner);
        Ok(self)
    }

    /// How long it takes until so many items of each producer are where they belong. This process is a producer, too.
    pub(super) fn time(&self, count: u32, produce: impl FnOnce(u32) -> Done) -> Result<Duration, Failure> {
        let start = Instant::now();
        self.partners.iter().try_for_each(|partner| partner.begin(count))?;
        produce(count)?;
        self.partners.iter().try_for_each(Partner::finish)?;
        let taken = start.elapsed();
        self.tally.check(self.producers, count)?;
        Ok(taken)
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        self.partners.into_iter().try_for_each(Partner::end)
    }
}
