//! How an array travels: its part, and the memory that it has of its own, if it has.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    codec::{Handle, carried::Carried},
    shm::{Extent, arena::Part},
    sys::recvmsg::Arrived,
};

pub(super) fn serialize<P: Part, S: Serializer>(extent: &Extent<P>, serializer: S) -> Result<S::Ok, S::Error> {
    let (block, memfd) = extent.descriptors();
    (Carried(block), memfd.map(Handle::new)).serialize(serializer)
}

pub(super) fn deserialize<'de, P: Part, D: Deserializer<'de>>(deserializer: D) -> Result<Extent<P>, D::Error> {
    let (Carried(block), memory): (_, Option<Handle<Arrived>>) = Deserialize::deserialize(deserializer)?;
    Extent::received(block, memory.map(Handle::into_inner)).map_err(de::Error::custom)
}
