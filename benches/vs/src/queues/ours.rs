//! `multiprocess`: a queue, one by one or many at once.

use multiprocess as mp;

use super::{
    flow::Flow,
    item::{Item, Seen, Tally, item},
};
use crate::{
    Failure,
    locks::{Done, partner::Orders, said},
};

/// How many items go into one call, or come out of it, where it is many.
pub(super) const MANY: u32 = 1000;

/// How a queue is used by all who have it.
#[derive(Clone, Copy)]
pub(super) enum By {
    Ones,
    Many,
}

pub(super) struct Ours {
    sender: mp::QueueSender<Item>,
    by: By,
    flow: Flow,
}

impl Ours {
    /// One producer, this process, and one consumer.
    pub(super) fn start(queue: mp::Queue<Item>, by: By) -> Result<Self, Failure> {
        let (sender, receiver) = queue.split();
        let flow = consumer(Flow::new()?, receiver, by)?;
        Ok(Self { sender, by, flow })
    }

    /// Two producers, of which this process is one, and two consumers.
    pub(super) fn start_crowd(queue: mp::Queue<Item>, by: By) -> Result<Self, Failure> {
        let (sender, receiver) = queue.split();
        let flow = match by {
            By::Ones => Flow::new()?.with_producer(put_ones, sender.clone())?,
            By::Many => Flow::new()?.with_producer(put_many, sender.clone())?,
        };
        let flow = consumer(consumer(flow, receiver.clone(), by)?, receiver, by)?;
        Ok(Self { sender, by, flow })
    }

    pub(super) fn time(&self, count: u32) -> Result<std::time::Duration, Failure> {
        self.flow.time(count, |count| match self.by {
            By::Ones => produce_ones(&self.sender, 0, count),
            By::Many => produce_many(&self.sender, 0, count),
        })
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        drop(self.sender);
        self.flow.end()
    }
}

fn consumer(flow: Flow, receiver: mp::QueueReceiver<Item>, by: By) -> Result<Flow, Failure> {
    match by {
        By::Ones => flow.with_consumer(get_ones, receiver),
        By::Many => flow.with_consumer(get_many, receiver),
    }
}

#[mp::process_target]
fn put_ones(orders: Orders, sender: mp::QueueSender<Item>) -> Done {
    orders.obey(|count| produce_ones(&sender, 1, count))
}

#[mp::process_target]
fn put_many(orders: Orders, sender: mp::QueueSender<Item>) -> Done {
    orders.obey(|count| produce_many(&sender, 1, count))
}

fn produce_ones(sender: &mp::QueueSender<Item>, producer: u32, count: u32) -> Done {
    (0..count).try_for_each(|sequence| sender.put(&item(producer, sequence))).map_err(said)
}

fn produce_many(sender: &mp::QueueSender<Item>, producer: u32, count: u32) -> Done {
    for first in (0..count).step_by(MANY as usize) {
        let sequences = first..count.min(first + MANY);
        sender.put_many(sequences.map(|sequence| item(producer, sequence))).map_err(said)?;
    }
    Ok(())
}

#[mp::process_target]
fn get_ones(orders: Orders, things: (mp::QueueReceiver<Item>, Tally)) -> Done {
    let (receiver, tally) = things;
    orders.obey(|count| {
        let mut seen = Seen::default();
        for _ in 0..count {
            seen.see(&receiver.get().map_err(said)?);
        }
        tally.add(&seen);
        Ok(())
    })
}

#[mp::process_target]
fn get_many(orders: Orders, things: (mp::QueueReceiver<Item>, Tally)) -> Done {
    let (receiver, tally) = things;
    orders.obey(|count| {
        let (mut seen, mut left) = (Seen::default(), count);
        while left > 0 {
            for item in receiver.get_many(left.min(MANY) as usize).map_err(said)? {
                seen.see(&item.map_err(said)?);
                left -= 1;
            }
        }
        tally.add(&seen);
        Ok(())
    })
}
