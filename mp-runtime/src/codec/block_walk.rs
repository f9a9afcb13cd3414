//! The numbers of a block one by one.

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, Visitor},
};

use super::blocks::{self, Kind};
use crate::error::{Error, Result};

/// The numbers of a block, for a reader that is no `Vec` of them.
pub(super) struct BlockWalk<'b> {
    pub(super) kind: Kind,
    pub(super) elements: std::slice::ChunksExact<'b, u8>,
}

impl<'de> de::SeqAccess<'de> for BlockWalk<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(bytes) = self.elements.next() else { return Ok(None) };
        seed.deserialize(Number { kind: self.kind, bytes }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.elements.len())
    }
}

struct Number<'b> {
    kind: Kind,
    bytes: &'b [u8],
}

impl<'de> Deserializer<'de> for Number<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        blocks::visit_element(self.kind, self.bytes, visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
