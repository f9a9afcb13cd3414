//! Pieces of shared memory inside values.
//!
//! All pieces of one arena share one descriptor of their message, which stands for all of them
//! ([`Transit`]); each is two numbers in the body.

use std::{fmt, mem, os::fd::OwnedFd};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::handles::{ENDING, Slot, replace};
use crate::{
    error::{Error, Result},
    shm::arena::{Block, Transit},
};

pub(super) const MARK: &str = "$multiprocess::Shared";

/// Takes the pieces of one message.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    /// Each arena, and which of the message's descriptors stands for it.
    transits: Vec<(Transit, u64)>,
    next_index: u64,
    put: Option<Result<Put>>,
}

/// A piece that was put in.
#[derive(Debug)]
pub(super) struct Put {
    /// Which descriptor, and what the receiver finds it by.
    pub(super) place: (u64, u32, u32),
    /// The descriptor, if it is the first of its arena.
    pub(super) fd: Option<OwnedFd>,
}

impl Carrier {
    fn put(&mut self, block: &Block) -> Result<Put> {
        if let Some((transit, index)) = self.transits.iter().find(|(transit, _)| transit.takes(block)) {
            let (at, record) = transit.add(block)?;
            return Ok(Put { place: (*index, at, record), fd: None });
        }
        let (transit, fd) = Transit::new(block)?;
        let (at, record) = transit.add(block)?;
        let index = self.next_index;
        self.transits.push((transit, index));
        Ok(Put { place: (index, at, record), fd: Some(fd) })
    }

    /// Runs `serialize`, in which a piece must be put in. A descriptor that it needs will be the message's `index`th.
    pub(super) fn collect(&mut self, index: u64, serialize: impl FnOnce() -> Result<()>) -> Result<Put> {
        self.next_index = index;
        replace(Slot::Carrier(Box::new(mem::take(self)))).ok_or_else(|| Error::encode(ENDING))?;
        let serialized = serialize();
        let Some(Slot::Carrier(mut carrier)) = replace(Slot::Closed) else {
            return Err(serialized.err().unwrap_or_else(|| Error::encode(ENDING)));
        };
        let put = carrier.put.take();
        *self = *carrier;
        match (put, serialized) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(put), Ok(())) => put,
            (None, Ok(())) => Err(Error::encode(format!("a struct named {MARK} is no shared memory"))),
        }
    }
}

/// Runs `deserialize`, in which a piece takes `block`.
pub(super) fn offer<T>(block: Block, deserialize: impl FnOnce() -> Result<T>) -> Result<T> {
    replace(Slot::Block(block)).ok_or_else(|| Error::decode(ENDING))?;
    let deserialized = deserialize();
    drop(replace(Slot::Closed));
    deserialized
}

/// Puts `block` into the message that is being written.
pub(crate) fn serialize<S: Serializer>(block: &Block, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(MARK, &Piece(block))
}

/// A piece as a part of a larger value.
#[derive(Debug)]
pub(crate) struct Carried<B>(pub(crate) B);

impl Serialize for Carried<&Block> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Carried<Block> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

struct Piece<'a>(&'a Block);

impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(Slot::Carrier(mut carrier)) = replace(Slot::Closed) else {
            return Err(ser::Error::custom(
                "a handle of shared memory travels only in messages of `multiprocess`: it means nothing anywhere else",
            ));
        };
        carrier.put = Some(carrier.put(self.0));
        replace(Slot::Carrier(carrier));
        serializer.serialize_unit()
    }
}

/// Takes the next piece out of the message that is being read.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Block, D::Error> {
    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Block;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a handle of shared memory in a message of `multiprocess`")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, _deserializer: D) -> Result<Block, D::Error> {
            match replace(Slot::Closed) {
                Some(Slot::Block(block)) => Ok(block),
                _ => Err(de::Error::custom(
                    "a handle of shared memory can only be read from a message of `multiprocess`",
                )),
            }
        }
    }

    deserializer.deserialize_newtype_struct(MARK, Visitor)
}
