//! ipc-channel: a new region for every message, or one that is written again, which is `unsafe` there: nobody says when its
//! reader is done.

use ipc_channel::ipc::IpcSharedMemory;
use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{NUMBER, sum};
use crate::{
    Failure, LARGE,
    connections::{
        ipc_channel::{Channels, answer_batches, start as start_target},
        message::Message,
        work::{Peer, Served},
    },
};

/// A region that is read when it comes.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Read(IpcSharedMemory);

impl Message for Read {
    fn weight(&self) -> u64 {
        // SAFETY: any bytes are `u64`s.
        let (_, elements, _) = unsafe { self.0.align_to::<u64>() };
        sum(elements)
    }
}

pub(super) fn start(batch: u32) -> Result<Peer<Channels<Read>>, Failure> {
    start_target(sums, batch)
}

#[mp::process_target]
pub(super) fn sums(server: String, batch: u32) -> Served {
    answer_batches::<Read>(server, batch)
}

pub(super) fn copy(elements: &[u64]) -> Read {
    // SAFETY: `u64`s are bytes.
    let (_, bytes, _) = unsafe { elements.align_to::<u8>() };
    Read(IpcSharedMemory::from_bytes(bytes))
}

pub(super) fn region() -> IpcSharedMemory {
    IpcSharedMemory::from_byte(0, LARGE)
}

pub(super) fn write(region: &mut IpcSharedMemory) -> Read {
    // SAFETY: the child has answered, so it has read the region and dropped its own.
    let bytes = unsafe { region.deref_mut() };
    // SAFETY: any bytes are `u64`s.
    let (_, elements, _) = unsafe { bytes.align_to_mut::<u64>() };
    elements.fill(NUMBER);
    Read(region.clone())
}
