//! iceoryx2: publish and subscribe without loss, by one who looks again and again: to be told of each item by an event
//! would be a system call for each.

use std::{hint, thread, time::Duration};

use iceoryx2::{port::publisher::Publisher, prelude::*, service::port_factory::publish_subscribe::PortFactory};
use multiprocess as mp;

use super::{
    flow::Flow,
    item::{Item, Seen, Tally, item},
};
use crate::{
    Failure,
    locks::{Done, partner::Orders, said},
};

/// The most items on their way.
const BUFFER: usize = 1000;
/// How often one looks before others may have the core.
const LOOKS: u32 = 1000;

pub(super) struct Iceoryx2 {
    publisher: Publisher<ipc::Service, Item, ()>,
    flow: Flow,
}

fn service(name: &str) -> Result<PortFactory<ipc::Service, Item, ()>, Failure> {
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let service = node.service_builder(&name.try_into()?).publish_subscribe::<Item>();
    let service = service.max_publishers(1).max_subscribers(1).history_size(0);
    let service = service.enable_safe_overflow(false).subscriber_max_buffer_size(BUFFER);
    Ok(service.subscriber_max_borrowed_samples(1).open_or_create()?)
}

impl Iceoryx2 {
    pub(super) fn start() -> Result<Self, Failure> {
        let name = format!("multiprocess-vs-queue-{}", std::process::id());
        let service = service(&name)?;
        let publisher = service.publisher_builder().max_loaned_samples(1);
        let publisher = publisher.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered).create()?;
        let flow = Flow::new()?.with_consumer(take, name)?;
        Ok(Self { publisher, flow })
    }

    pub(super) fn time(&self, count: u32) -> Result<Duration, Failure> {
        self.flow.time(count, |count| {
            for sequence in 0..count {
                let sample = self.publisher.loan_uninit().map_err(said)?;
                sample.write_payload(item(0, sequence)).send().map_err(said)?;
            }
            Ok(())
        })
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        self.flow.end()
    }
}

#[mp::process_target]
fn take(orders: Orders, things: (String, Tally)) -> Done {
    let (name, tally) = things;
    let service = service(&name).map_err(said)?;
    let subscriber = service.subscriber_builder().buffer_size(BUFFER).create().map_err(said)?;
    orders.obey(|count| {
        let (mut seen, mut left, mut looks) = (Seen::default(), count, 0);
        while left > 0 {
            if let Some(sample) = subscriber.receive().map_err(said)? {
                seen.see(sample.payload());
                (left, looks) = (left - 1, 0);
                continue;
            }
            looks += 1;
            if looks % LOOKS == 0 {
                thread::yield_now();
            }
            hint::spin_loop();
        }
        tally.add(&seen);
        Ok(())
    })
}
