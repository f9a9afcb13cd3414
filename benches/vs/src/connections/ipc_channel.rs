//! ipc-channel, Servo's: a channel for the messages and one for the answers.

use std::{sync::Arc, thread, time::Duration};

use ipc_channel::{
    IpcError,
    ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory},
};
use multiprocess as mp;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    message::{Message, Reading},
    work::{Peer, Served, serve},
};
use crate::Failure;

/// The parent's ends.
pub(crate) struct Channels<M> {
    messages: IpcSender<M>,
    answers: IpcReceiver<u64>,
}

/// In an `Arc`, which is the same on the wire: `send` wants the value itself, and it shall not be charged for clones.
pub(crate) type Shared = Arc<Vec<u8>>;

impl Message for Shared {
    fn weight(&self) -> u64 {
        self.as_ref().weight()
    }
}

impl Message for IpcSharedMemory {
    fn weight(&self) -> u64 {
        self.len() as u64
    }
}

/// Starts a child that answers each batch of its kind of message: one of the targets below.
pub(crate) fn start<M, F>(target: F, batch: u32) -> Result<Peer<Channels<M>>, Failure>
where
    M: Serialize + DeserializeOwned + Send + 'static,
    F: mp::Target<Args = (String, u32), Output = Served>,
{
    let (server, name) = IpcOneShotServer::new()?;
    let child = mp::spawn(target, (name, batch))?;
    // On another thread: it waits for ever for a child that has died.
    let accepting = thread::spawn(|| server.accept());
    while !accepting.is_finished() {
        if let Some(ended) = child.join_timeout(Duration::from_millis(1)) {
            return Err(format!("ipc-channel's child ended before it connected: {ended:?}").into());
        }
    }
    let (_, (messages, answers)) = accepting.join().map_err(|_| "accept panicked")??;
    Ok(Peer::new(Channels { messages, answers }, child))
}

impl<M: Serialize> Channels<M> {
    pub(crate) fn send(&self, message: M) -> Result<(), IpcError> {
        self.messages.send(message)
    }

    pub(crate) fn answer(&self) -> Result<u64, IpcError> {
        self.answers.recv()
    }
}

#[mp::process_target]
pub(crate) fn numbers(server: String, batch: u32) -> Served {
    answer_batches::<u64>(server, batch)
}

#[mp::process_target]
pub(crate) fn readings(server: String, batch: u32) -> Served {
    answer_batches::<Reading>(server, batch)
}

#[mp::process_target]
pub(crate) fn bytes(server: String, batch: u32) -> Served {
    answer_batches::<Shared>(server, batch)
}

#[mp::process_target]
pub(crate) fn memory(server: String, batch: u32) -> Served {
    answer_batches::<IpcSharedMemory>(server, batch)
}

pub(crate) fn answer_batches<M: Message + Serialize + DeserializeOwned>(server: String, batch: u32) -> Served {
    let (messages, answers) = connect::<M>(server).map_err(|error| error.to_string())?;
    let receive = || match messages.recv() {
        Ok(message) => Ok(Some(message.weight())),
        Err(IpcError::Disconnected) => Ok(None),
        Err(error) => Err(error),
    };
    serve(batch, receive, |weight| answers.send(weight))
}

/// Makes both channels, and gives the parent its ends of them.
fn connect<M: Serialize + DeserializeOwned>(server: String) -> Result<(IpcReceiver<M>, IpcSender<u64>), Failure> {
    let (theirs, messages) = ipc::channel::<M>()?;
    let (answers, to_them) = ipc::channel::<u64>()?;
    IpcSender::connect(server)?.send((theirs, to_them))?;
    Ok((messages, answers))
}
