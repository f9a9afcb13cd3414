//! `multiprocess`: a channel, which is a socket.

use std::time::Duration;

use multiprocess as mp;

use super::{
    flow::Flow,
    item::{Item, Seen, Tally, item},
};
use crate::{
    Failure,
    locks::{Done, partner::Orders, said},
};

pub(super) struct Channel {
    sender: mp::Sender<Item>,
    flow: Flow,
}

impl Channel {
    pub(super) fn start() -> Result<Self, Failure> {
        let (sender, receiver) = mp::channel()?;
        Ok(Self { sender, flow: Flow::new()?.with_consumer(receive, receiver)? })
    }

    pub(super) fn time(&self, count: u32) -> Result<Duration, Failure> {
        self.flow
            .time(count, |count| (0..count).try_for_each(|sequence| self.sender.send(&item(0, sequence))).map_err(said))
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        drop(self.sender);
        self.flow.end()
    }
}

#[mp::process_target]
fn receive(orders: Orders, things: (mp::Receiver<Item>, Tally)) -> Done {
    let (receiver, tally) = things;
    orders.obey(|count| {
        let mut seen = Seen::default();
        for _ in 0..count {
            seen.see(&receiver.recv().map_err(said)?);
        }
        tally.add(&seen);
        Ok(())
    })
}
