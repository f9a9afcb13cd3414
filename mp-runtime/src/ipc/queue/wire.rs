//! A queue's handle in a message: its part of an arena, its memory, and the descriptors of the sides that go along.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    core::Core,
    end::{End, Fds, Kind},
};
use crate::{
    codec::{Handle, carried::Carried},
    error::{Error, Result},
    shm::arena::Block,
    sys::{recvmsg::Arrived, socket},
};

#[derive(Serialize)]
#[serde(rename = "Queue")]
struct Outgoing<'a> {
    part: Carried<&'a Block>,
    memory: Handle<BorrowedFd<'a>>,
    puts: Option<[Handle<BorrowedFd<'a>>; 2]>,
    gets: Option<[Handle<BorrowedFd<'a>>; 2]>,
}

#[derive(Deserialize)]
#[serde(rename = "Queue")]
struct Incoming {
    part: Carried<Block>,
    memory: Handle<OwnedFd>,
    puts: Option<[Handle<OwnedFd>; 2]>,
    gets: Option<[Handle<OwnedFd>; 2]>,
}

/// Puts a handle into a message, with the sides that it has.
pub(super) fn send<S: Serializer>(puts: Option<&End>, gets: Option<&End>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(any) = puts.or(gets) else { return Err(serde::ser::Error::custom("a queue without sides")) };
    let outgoing = Outgoing {
        part: Carried(any.core().block()),
        memory: Handle::new(any.core().memfd()),
        puts: puts.map(fds_of),
        gets: gets.map(fds_of),
    };
    outgoing.serialize(serializer)
}

fn fds_of(end: &End) -> [Handle<BorrowedFd<'_>>; 2] {
    [Handle::new(end.control()), Handle::new(end.lane())]
}

/// Takes it out again.
pub(super) fn receive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Option<End>, Option<End>), D::Error> {
    let Incoming { part: Carried(block), memory, puts, gets } = Incoming::deserialize(deserializer)?;
    let core = Core::received(block, Arrived::from(memory.into_inner())).map_err(de::Error::custom)?;
    let core = Arc::new(core);
    let sockets = |pair: Option<[Handle<OwnedFd>; 2]>| pair.map(sockets).transpose().map_err(de::Error::custom);
    let end = |kind, [control, lane]: [OwnedFd; 2]| End::new(kind, Arc::clone(&core), Fds { control, lane });
    let puts = sockets(puts)?.map(|fds| end(Kind::Puts, fds));
    let gets = sockets(gets)?.map(|fds| end(Kind::Gets, fds));
    Ok((puts, gets))
}

fn sockets(pair: [Handle<OwnedFd>; 2]) -> Result<[OwnedFd; 2]> {
    let pair = pair.map(Handle::into_inner);
    for fd in &pair {
        if !socket::is_seqpacket(fd) {
            return Err(Error::protocol("a descriptor that came is none of a queue's"));
        }
        socket::reset_options(fd).map_err(|error| Error::os("take a queue's socket", error))?;
    }
    Ok(pair)
}
