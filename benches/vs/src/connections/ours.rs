//! `multiprocess`: typed connections.

use multiprocess as mp;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    message::{Message, Reading},
    work::{Peer, Served, serve},
};
use crate::Failure;

/// Starts a child that answers each batch of its kind of message: one of the targets below.
pub(crate) fn start<M, F>(target: F, batch: u32) -> Result<Peer<mp::Connection<M, u64>>, Failure>
where
    M: Serialize + DeserializeOwned,
    F: mp::Target<Args = (mp::Connection<u64, M>, u32), Output = Served>,
{
    let (ours, theirs) = mp::pipe()?;
    Ok(Peer::new(ours, mp::spawn(target, (theirs, batch))?))
}

#[mp::process_target]
pub(crate) fn numbers(connection: mp::Connection<u64, u64>, batch: u32) -> Served {
    answer_batches(&connection, batch)
}

#[mp::process_target]
pub(crate) fn readings(connection: mp::Connection<u64, Reading>, batch: u32) -> Served {
    answer_batches(&connection, batch)
}

#[mp::process_target]
pub(crate) fn bytes(connection: mp::Connection<u64, Vec<u8>>, batch: u32) -> Served {
    answer_batches(&connection, batch)
}

fn answer_batches<M: Message + DeserializeOwned>(connection: &mp::Connection<u64, M>, batch: u32) -> Served {
    let receive = || match connection.recv() {
        Ok(message) => Ok(Some(message.weight())),
        Err(mp::RecvError::Disconnected) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    serve(batch, receive, |weight| connection.send(&weight).map_err(|error| error.to_string()))
}
