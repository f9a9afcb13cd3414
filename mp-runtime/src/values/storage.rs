//! How an array travels: its part, and the memory that it has of its own, if it has.

use std::os::fd::BorrowedFd;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    codec::{carried::Carried, handles},
    shm::{Extent, arena::Part},
    sys::recvmsg::Arrived,
};

pub(super) fn serialize<P: Part, S: Serializer>(extent: &Extent<P>, serializer: S) -> Result<S::Ok, S::Error> {
    let (block, memfd) = extent.descriptors();
    (Carried(block), memfd.map(SentMemory)).serialize(serializer)
}

pub(super) fn deserialize<'de, P: Part, D: Deserializer<'de>>(deserializer: D) -> Result<Extent<P>, D::Error> {
    let (Carried(block), memory): (_, Option<ReceivedMemory>) = Deserialize::deserialize(deserializer)?;
    Extent::received(block, memory.map(|memory| memory.0)).map_err(de::Error::custom)
}

struct SentMemory<'a>(BorrowedFd<'a>);

impl Serialize for SentMemory<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        handles::serialize(self.0, serializer)
    }
}

/// It may be anything.
struct ReceivedMemory(Arrived);

impl<'de> Deserialize<'de> for ReceivedMemory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        handles::deserialize(deserializer).map(|fd| Self(fd.into()))
    }
}
