//! iceoryx2: memory that both sides have mapped from the beginning. The child is told of a sample by a connection of ours, so
//! that neither side needs to look again and again.

use std::mem::MaybeUninit;

use iceoryx2::{port::publisher::Publisher, prelude::*};
use multiprocess as mp;

use super::{ELEMENTS, NUMBER, sum};
use crate::{
    Failure,
    connections::work::{Peer, Served, serve},
};

pub(super) struct Iceoryx2 {
    publisher: Publisher<ipc::Service, [u64], ()>,
    child: Peer<mp::Connection<(), u64>>,
}

fn service(
    name: &str,
) -> Result<iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u64], ()>, Failure> {
    set_log_level(LogLevel::Error);
    let node = NodeBuilder::new().create::<ipc::Service>()?;
    let service = node.service_builder(&name.try_into()?).publish_subscribe::<[u64]>();
    Ok(service.subscriber_max_buffer_size(1).subscriber_max_borrowed_samples(1).history_size(0).open_or_create()?)
}

impl Iceoryx2 {
    pub(super) fn start() -> Result<Self, Failure> {
        let name = format!("multiprocess-vs-{}", std::process::id());
        let publisher =
            service(&name)?.publisher_builder().initial_max_slice_len(ELEMENTS).max_loaned_samples(1).create()?;
        let (ours, theirs) = mp::pipe()?;
        let child = mp::spawn(sums, (theirs, name))?;
        ours.recv()?;
        Ok(Self { publisher, child: Peer::new(ours, child) })
    }

    pub(super) fn send(&self) -> Result<(), Failure> {
        let mut sample = self.publisher.loan_slice_uninit(ELEMENTS)?;
        sample.payload_mut().fill(MaybeUninit::new(NUMBER));
        // SAFETY: all of it has just been written.
        let sample = unsafe { sample.assume_init() };
        sample.send()?;
        Ok(self.child.send(&())?)
    }

    pub(super) fn answer(&self) -> Result<u64, Failure> {
        Ok(self.child.recv()?)
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        self.child.end()
    }
}

#[mp::process_target]
fn sums(connection: mp::Connection<u64, ()>, name: String) -> Served {
    answer_samples(&connection, &name).map_err(|error| error.to_string())
}

fn answer_samples(connection: &mp::Connection<u64, ()>, name: &str) -> Result<(), Failure> {
    let subscriber = service(name)?.subscriber_builder().buffer_size(1).create()?;
    connection.send(&0)?;
    let receive = || match connection.recv() {
        Ok(()) => match subscriber.receive() {
            Ok(Some(sample)) => Ok(Some(sum(sample.payload()))),
            other => Err(format!("the sample did not come: {:?}", other.err())),
        },
        Err(mp::RecvError::Disconnected) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    Ok(serve(1, receive, |weight| connection.send(&weight).map_err(|error| error.to_string()))?)
}
