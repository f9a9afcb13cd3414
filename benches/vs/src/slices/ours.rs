//! `multiprocess`: sealed slices, and those of a pool.

use multiprocess as mp;
use serde::{Serialize, de::DeserializeOwned};

use super::sum;
use crate::{
    Failure,
    connections::work::{Peer, Served, serve},
};

/// Starts a child that answers each slice of its kind with its sum: one of the targets below.
pub(super) fn start<M, F>(target: F, batch: u32) -> Result<Peer<mp::Connection<M, u64>>, Failure>
where
    M: Serialize + DeserializeOwned,
    F: mp::Target<Args = (mp::Connection<u64, M>, u32), Output = Served>,
{
    let (ours, theirs) = mp::pipe()?;
    Ok(Peer::new(ours, mp::spawn(target, (theirs, batch))?))
}

#[mp::process_target]
pub(super) fn sealed(connection: mp::Connection<u64, mp::SharedSlice<u64>>, batch: u32) -> Served {
    answer_batches(&connection, batch, |slice| sum(&slice))
}

#[mp::process_target]
pub(super) fn lent(connection: mp::Connection<u64, mp::LentSlice<u64>>, batch: u32) -> Served {
    answer_batches(&connection, batch, |slice| sum(&slice))
}

#[mp::process_target]
pub(super) fn lent_and_kept(connection: mp::Connection<u64, mp::LentSlice<u64>>, batch: u32) -> Served {
    let _kept = mp::KeptMappings::new(1);
    answer_batches(&connection, batch, |slice| sum(&slice))
}

fn answer_batches<M: DeserializeOwned>(
    connection: &mp::Connection<u64, M>,
    batch: u32,
    weigh: impl Fn(M) -> u64,
) -> Served {
    let receive = || match connection.recv() {
        Ok(message) => Ok(Some(weigh(message))),
        Err(mp::RecvError::Disconnected) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    serve(batch, receive, |weight| connection.send(&weight).map_err(|error| error.to_string()))
}
