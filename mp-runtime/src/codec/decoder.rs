//! From a message to values.

use std::{any::type_name, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor},
};

use super::{
    block_walk::BlockWalk,
    blocks::{self, Kind},
    carried, handles,
    limits::{MAX_DEPTH, MAX_EMPTY_ELEMENTS},
    message::Message,
    scalar,
    spill::{Ends, MAX_PARTS, Place},
};
use crate::{
    error::{Error, Result},
    shm::arena::Block,
};

/// Reads values off a message, one behind the other. Every length is checked against what is there
/// before anything is allocated for it.
#[derive(Debug)]
pub struct Decoder<'m> {
    rest: &'m [u8],
    message: &'m Message,
    depth: u32,
    /// How many elements have been announced beyond what the bytes could hold.
    empty_elements: usize,
    /// Blocks lie in the memfds one behind the other; none is read twice.
    spilled: Ends,
}

/// Where the elements of a sequence are.
enum Elements<'m> {
    /// One after another, so many of them.
    Walked(usize),
    Block(Kind, usize, Source<'m>),
}

#[derive(Clone, Copy)]
enum Source<'m> {
    Inline(&'m [u8]),
    Spilled { place: Place, length: usize },
}

/// A byte string that lies in a message.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'m> {
    message: &'m Message,
    source: Source<'m>,
}

impl Bytes<'_> {
    pub(crate) fn len(self) -> usize {
        match self.source {
            Source::Inline(bytes) => bytes.len(),
            Source::Spilled { length, .. } => length,
        }
    }

    /// Copies it to where there is just as much room.
    pub(crate) fn read(self, into: &mut [u8]) -> Result<()> {
        match self.source {
            Source::Inline(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            Source::Spilled { place, .. } => self.message.spill()?.read(place, into),
        }
    }

    pub(crate) fn to_vec(self) -> Result<Vec<u8>> {
        match self.source {
            Source::Inline(bytes) => Ok(bytes.to_vec()),
            Source::Spilled { length, .. } => {
                let mut bytes = blocks::zeroed::<u8>(length)?;
                self.read(&mut bytes)?;
                Ok(bytes)
            }
        }
    }
}

impl<'m> Decoder<'m> {
    #[inline]
    pub(crate) fn new(message: &'m Message) -> Self {
        Self::resume(message, 0)
    }

    /// Goes on where another decoder of this message [stopped](Self::position).
    #[inline]
    pub(crate) fn resume(message: &'m Message, position: usize) -> Self {
        Self::within(message, position..message.body().len())
    }

    /// Reads what is in a part of the message's body.
    #[inline]
    pub(crate) fn within(message: &'m Message, part: Range<usize>) -> Self {
        let rest = message.body().get(part).unwrap_or_default();
        Self { rest, message, depth: 0, empty_elements: 0, spilled: Ends::default() }
    }

    /// How much has been read.
    pub(crate) fn position(&self) -> usize {
        self.message.body().len() - self.rest.len()
    }

    /// Takes the next value.
    #[inline]
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> Result<T> {
        T::deserialize(&mut *self).map_err(|error| error.context(format!("a value of type `{}`", type_name::<T>())))
    }

    /// Takes the last value.
    #[inline]
    pub(crate) fn take_last<T: DeserializeOwned>(mut self) -> Result<T> {
        match T::deserialize(&mut self) {
            Ok(value) if self.rest.is_empty() => Ok(value),
            other => self.not_taken(other.err()),
        }
    }

    #[cold]
    fn not_taken<T>(&self, error: Option<Error>) -> Result<T> {
        match error {
            Some(error) => Err(error.context(format!("a value of type `{}`", type_name::<T>()))),
            None => self.finish().and(Err(Error::decode("nothing is left over"))),
        }
    }

    /// Takes the next value, a byte string, without reading it yet.
    pub(crate) fn take_bytes(&mut self) -> Result<Bytes<'m>> {
        let source = self.text()?;
        Ok(Bytes { message: self.message, source })
    }

    /// Nothing may be left.
    #[inline]
    pub(crate) fn finish(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Error::decode(format!("{left} bytes are left over behind the last value"))),
        }
    }

    #[inline]
    fn bytes(&mut self, length: usize) -> Result<&'m [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(|| {
            Error::decode(format!("a length of {length} bytes is announced, but {} are left", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn elements(&mut self) -> Result<Elements<'m>> {
        let head: u64 = scalar::take(&mut self.rest)?;
        let count = usize::try_from(head & !(blocks::RAW | blocks::SPILLED)).unwrap_or(usize::MAX);
        if head & (blocks::RAW | blocks::SPILLED) == 0 {
            let left = self.rest.len();
            self.empty_elements = self.empty_elements.saturating_add(count.saturating_sub(left));
            if self.empty_elements > MAX_EMPTY_ELEMENTS {
                return Err(Error::decode(format!("{count} elements are announced, but {left} bytes are left")));
            }
            return Ok(Elements::Walked(count));
        }
        let [kind] = *self.bytes(1)? else { return Err(Error::decode("a block without a kind")) };
        let kind = Kind::from_byte(kind)?;
        let length = count
            .checked_mul(kind.size())
            .ok_or_else(|| Error::decode(format!("a block of {count} elements is announced")))?;
        let source = if head & blocks::SPILLED == 0 {
            Source::Inline(self.bytes(length)?)
        } else {
            let place = self.place()?;
            self.message.spill()?.check(place, length, &mut self.spilled)?;
            Source::Spilled { place, length }
        };
        Ok(Elements::Block(kind, count, source))
    }

    fn place(&mut self) -> Result<Place> {
        let parts: u64 = scalar::take(&mut self.rest)?;
        let mut place = Place::default();
        for _ in 0..parts.clamp(1, MAX_PARTS as u64 + 1) {
            place.add(scalar::take(&mut self.rest)?)?;
        }
        Ok(place)
    }

    /// A string or byte string.
    fn text(&mut self) -> Result<Source<'m>> {
        match self.elements()? {
            Elements::Walked(length) => Ok(Source::Inline(self.bytes(length)?)),
            Elements::Block(Kind::U8, _, source) => Ok(source),
            Elements::Block(kind, ..) => Err(Error::decode(format!("bytes are expected, not a block of {kind:?}"))),
        }
    }

    #[inline]
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::decode(format!("the value is nested more than {MAX_DEPTH} levels deep")));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    #[inline]
    fn walk<V: Visitor<'m>>(&mut self, count: usize, visitor: V) -> Result<V::Value> {
        self.nested(|decoder| visitor.visit_seq(Walk { decoder, left: count }))
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(scalar::take(&mut self.rest)?)
        })*
    };
}

macro_rules! self_describing {
    ($($method:ident)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value> {
            Err(Error::decode(concat!(
                "the type asks what comes next (", stringify!($method), "), which these bytes do not say; ",
                "serde's `untagged`, `flatten` and `tag` cannot cross a process boundary"
            )))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    scalars! {
        deserialize_bool visit_bool;
        deserialize_i8 visit_i8;
        deserialize_i16 visit_i16;
        deserialize_i32 visit_i32;
        deserialize_i64 visit_i64;
        deserialize_i128 visit_i128;
        deserialize_u8 visit_u8;
        deserialize_u16 visit_u16;
        deserialize_u32 visit_u32;
        deserialize_u64 visit_u64;
        deserialize_u128 visit_u128;
        deserialize_f32 visit_f32;
        deserialize_f64 visit_f64;
        deserialize_char visit_char;
    }

    self_describing! { deserialize_any deserialize_ignored_any deserialize_identifier }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let not_text = |_| Error::decode("a string is not UTF-8");
        match self.text()? {
            Source::Inline(bytes) => visitor.visit_borrowed_str(std::str::from_utf8(bytes).map_err(not_text)?),
            spilled => visitor.visit_string(
                String::from_utf8(Bytes { message: self.message, source: spilled }.to_vec()?)
                    .map_err(|e| not_text(e.utf8_error()))?,
            ),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.text()? {
            Source::Inline(bytes) => visitor.visit_borrowed_bytes(bytes),
            spilled => visitor.visit_byte_buf(Bytes { message: self.message, source: spilled }.to_vec()?),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match scalar::take::<u8>(&mut self.rest)? {
            0 => visitor.visit_none(),
            1 => self.nested(|decoder| visitor.visit_some(decoder)),
            other => Err(Error::decode(format!("{other} stands where an option says whether it is one"))),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        if name == handles::MARK {
            let fd = self.message.take_fd(scalar::take(&mut self.rest)?)?;
            return handles::offer(fd, || visitor.visit_newtype_struct(self));
        }
        if name == carried::MARK {
            let index = scalar::take(&mut self.rest)?;
            let (at, record) = (scalar::take(&mut self.rest)?, scalar::take(&mut self.rest)?);
            let arena = self.message.arena(index)?;
            let block = match self.message.is_kept() {
                false => Block::adopt(&arena, at, record)?,
                true => Block::adopt_copy(&arena, at, record)?,
            };
            return carried::offer(block, || visitor.visit_newtype_struct(self));
        }
        self.nested(|decoder| visitor.visit_newtype_struct(decoder))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let (kind, count, source) = match self.elements()? {
            Elements::Walked(count) => return self.walk(count, visitor),
            Elements::Block(kind, count, source) => (kind, count, source),
        };
        if blocks::is_serdes_own::<V>()
            && let Some(value) =
                blocks::from_block(kind, count, |into| Bytes { message: self.message, source }.read(into))
        {
            return value;
        }
        let bytes = Bytes { message: self.message, source }.to_vec()?;
        visitor.visit_seq(BlockWalk { kind, elements: bytes.chunks_exact(kind.size()) })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.walk(length, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, length: usize, visitor: V) -> Result<V::Value> {
        self.walk(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.elements()? {
            Elements::Walked(count) => self.nested(|decoder| visitor.visit_map(Walk { decoder, left: count })),
            Elements::Block(..) => Err(Error::decode("a map is expected, not a block of numbers")),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.walk(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.nested(|decoder| visitor.visit_enum(decoder))
    }
}

/// The elements of a sequence, the fields of a struct, the entries of a map.
struct Walk<'d, 'm> {
    decoder: &'d mut Decoder<'m>,
    left: usize,
}

impl Walk<'_, '_> {
    /// A count is no promise: no more than the bytes that are left.
    #[inline]
    fn hint(&self) -> usize {
        self.left.min(self.decoder.rest.len())
    }

    #[inline]
    fn next(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }
}

impl<'de> de::SeqAccess<'de> for Walk<'_, 'de> {
    type Error = Error;

    // As for each element of an array there would be a call.
    #[inline(always)]
    fn next_element<T: Deserialize<'de>>(&mut self) -> Result<Option<T>> {
        if self.next() { T::deserialize(&mut *self.decoder).map(Some) } else { Ok(None) }
    }

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.next() { seed.deserialize(&mut *self.decoder).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> de::MapAccess<'de> for Walk<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.next() { seed.deserialize(&mut *self.decoder).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.decoder)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.hint())
    }
}

impl<'de> de::EnumAccess<'de> for &mut Decoder<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let index: u32 = scalar::take(&mut self.rest)?;
        let deserializer: de::value::U32Deserializer<Error> = index.into_deserializer();
        Ok((seed.deserialize(deserializer)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Decoder<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.walk(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.walk(fields.len(), visitor)
    }
}
