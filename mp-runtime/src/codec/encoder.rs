//! From a value to a message.

use std::os::fd::OwnedFd;

use serde::{Serialize, Serializer, ser};

use super::{
    blocks::{self, Kind},
    carried::{self, Carrier},
    frame::{self, Encoded, HEADER},
    handles,
    limits::{MAX_DEPTH, MAX_EMPTY_ELEMENTS},
    parcel::Parcel,
    scalar, scratch,
    spill::SpillWriter,
};
use crate::{
    error::{Error, Result},
    sys::socket,
};

/// Writes values one behind the other into one message.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// What has been written, behind room for a header.
    pub(super) body: Vec<u8>,
    /// Where large blocks went.
    spill: SpillWriter,
    fds: Vec<OwnedFd>,
    /// Takes pieces of shared memory; most messages have none.
    carrier: Option<Box<Carrier>>,
    depth: u32,
    empty_elements: usize,
    /// Blocks and bodies from so many bytes on go into memfds.
    spilled_from: usize,
}

impl Default for Encoder {
    #[inline]
    fn default() -> Self {
        Self::spilling_from(blocks::MIN_SPILL)
    }
}

impl Encoder {
    /// One for messages whose bytes need not go through a socket.
    #[inline]
    pub(crate) fn spilling_from(spilled_from: usize) -> Self {
        let mut body = scratch::take();
        body.extend_from_slice(&[0; HEADER]);
        Self {
            body,
            spill: SpillWriter::default(),
            fds: Vec::new(),
            carrier: None,
            depth: 0,
            empty_elements: 0,
            spilled_from,
        }
    }

    /// The body, if nothing but bytes belongs to the message and they are few enough.
    #[inline]
    pub(crate) fn plain_body(&self) -> Option<&[u8]> {
        self.body.get(HEADER..).filter(|body| self.is_plain() && body.len() < self.spilled_from)
    }

    /// How long the body is.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.body.len() - HEADER
    }

    /// Whether nothing but bytes belongs to the message.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.spill.is_empty() && self.fds.is_empty()
    }

    /// Forgets all that was written behind the first `length` bytes, which were [plain](Self::is_plain). What is written next is a
    /// value of its own.
    #[inline]
    pub(crate) fn begin_anew(&mut self, length: usize) {
        self.body.truncate(HEADER + length);
        (self.depth, self.empty_elements) = (0, 0);
        if !self.is_plain() {
            (self.spill, self.fds, self.carrier) = (SpillWriter::default(), Vec::new(), None);
        }
    }

    /// Appends `value`.
    #[inline]
    pub(crate) fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    /// Appends bytes, to be [taken](super::Decoder::take_bytes) as such.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.text(bytes)
    }

    /// The whole message, as one of this kind, if nothing but bytes belongs to it and they go into a socket.
    #[inline]
    pub(crate) fn packet(&mut self, kind: u8) -> Option<&[u8]> {
        if !self.spill.is_empty() || !self.fds.is_empty() {
            return None;
        }
        frame::complete(kind, &mut self.body).then_some(&self.body)
    }

    /// It is done with, and its buffer good for another.
    #[inline]
    pub(crate) fn recycle(self) {
        scratch::put_back(self.body);
    }

    /// What was written by one that spills nothing, to be kept.
    pub(crate) fn into_parcel(self) -> Parcel {
        Parcel::new(self.body, self.fds)
    }

    /// The body, of one that spills nothing and has no descriptors.
    #[inline]
    pub(crate) fn body(&self) -> &[u8] {
        self.body.get(HEADER..).unwrap_or_default()
    }

    /// The message, as one of this kind. A body beyond what a socket should carry moves into a memfd too.
    pub(crate) fn finish(self, kind: u8) -> Result<Encoded> {
        Encoded::new(kind, self.body, self.spill, self.fds, self.spilled_from)
    }

    // Always: a call for each number of an array costs as much as the number.
    #[inline(always)]
    pub(super) fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        match blocks::as_block(value) {
            Some((kind, bytes)) if bytes.len() >= blocks::MIN_RAW => self.block(kind, bytes),
            _ => value.serialize(self),
        }
    }

    fn block(&mut self, kind: Kind, bytes: &[u8]) -> Result<()> {
        let count = (bytes.len() / kind.size()) as u64;
        if bytes.len() < self.spilled_from {
            scalar::put(&mut self.body, count | blocks::RAW)?;
            self.body.push(kind as u8);
            self.body.extend_from_slice(bytes);
        } else {
            scalar::put(&mut self.body, count | blocks::SPILLED)?;
            self.body.push(kind as u8);
            let place = self.spill.write(bytes)?;
            let offsets = place.offsets();
            scalar::put(&mut self.body, offsets.len() as u64)?;
            for offset in offsets {
                scalar::put(&mut self.body, *offset)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.len() >= self.spilled_from {
            return self.block(Kind::U8, bytes);
        }
        scalar::put(&mut self.body, bytes.len() as u64)?;
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    /// A piece of shared memory.
    #[cold]
    fn piece<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        frame::check_count(self.fds.len() + 1, socket::MAX_FDS)?;
        let mut carrier = self.carrier.take().unwrap_or_default();
        let put = carrier.collect(self.fds.len() as u64, || value.serialize(&mut *self));
        self.carrier = Some(carrier);
        let put = put?;
        self.fds.extend(put.fd);
        let (index, at, record) = put.place;
        scalar::put(&mut self.body, index)?;
        scalar::put(&mut self.body, at)?;
        scalar::put(&mut self.body, record)
    }

    fn nested<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter()?;
        let written = write(self)?;
        self.depth -= 1;
        Ok(written)
    }

    #[inline]
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::encode(format!("the value is nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn variant(&mut self, index: u32) -> Result<()> {
        scalar::put(&mut self.body, index)
    }

    #[inline]
    fn compound(&mut self, count: Count) -> Result<Compound<'_>> {
        self.enter()?;
        let start = self.body.len();
        Ok(Compound { encoder: self, count, start, written: 0 })
    }

    fn counted(&mut self, length: Option<usize>) -> Result<Compound<'_>> {
        let count = match length {
            Some(length) => {
                scalar::put(&mut self.body, length as u64)?;
                Count::Announced(length)
            }
            None => Count::ToInsert { at: self.body.len() },
        };
        self.compound(count)
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty;)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<()> {
            scalar::put(&mut self.body, value)
        })*
    };
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    scalars! {
        serialize_bool bool;
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_f32 f32;
        serialize_f64 f64;
        serialize_char char;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.text(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        self.text(value)
    }

    fn serialize_none(self) -> Result<()> {
        scalar::put(&mut self.body, 0_u8)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        scalar::put(&mut self.body, 1_u8)?;
        self.nested(|encoder| encoder.element(value))
    }

    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<()> {
        Ok(())
    }

    fn serialize_unit_variant(self, _name: &'static str, index: u32, _variant: &'static str) -> Result<()> {
        self.variant(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<()> {
        if name == handles::MARK {
            // Here, before more of them are made than this process may have.
            frame::check_count(self.fds.len() + 1, socket::MAX_FDS)?;
            let fd = handles::collect(|| value.serialize(&mut *self))?;
            let index = self.fds.len() as u64;
            self.fds.push(fd);
            return scalar::put(&mut self.body, index);
        }
        if name == carried::MARK {
            return self.piece(value);
        }
        self.nested(|encoder| encoder.element(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.variant(index)?;
        self.nested(|encoder| encoder.element(value))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>> {
        self.counted(length)
    }

    #[inline]
    fn serialize_tuple(self, _length: usize) -> Result<Compound<'a>> {
        self.compound(Count::Implied)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Compound<'a>> {
        self.compound(Count::Implied)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>> {
        self.variant(index)?;
        self.compound(Count::Implied)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'a>> {
        self.counted(length)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Compound<'a>> {
        self.compound(Count::Implied)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Compound<'a>> {
        self.variant(index)?;
        self.compound(Count::Implied)
    }
}

/// How the reader will know where a compound value ends.
#[derive(Debug)]
enum Count {
    /// The type says it.
    Implied,
    /// It stands in front of the elements.
    Announced(usize),
    /// It will stand in front of the elements once they have been counted.
    ToInsert { at: usize },
}

/// A value of several parts, being written.
#[derive(Debug)]
pub(crate) struct Compound<'a> {
    encoder: &'a mut Encoder,
    count: Count,
    /// Where the parts begin.
    start: usize,
    written: usize,
}

impl Compound<'_> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.written += 1;
        self.encoder.element(value)
    }

    #[inline]
    fn close(self) -> Result<()> {
        self.encoder.depth -= 1;
        if !matches!(self.count, Count::Implied) {
            let bytes = self.encoder.body.len() - self.start;
            self.encoder.empty_elements += self.written.saturating_sub(bytes);
            if self.encoder.empty_elements > MAX_EMPTY_ELEMENTS {
                return Err(Error::encode(format!(
                    "more than {MAX_EMPTY_ELEMENTS} elements of sequences have no content"
                )));
            }
        }
        match self.count {
            Count::Implied => Ok(()),
            Count::Announced(announced) if announced == self.written => Ok(()),
            Count::Announced(announced) => {
                Err(Error::encode(format!("a sequence announced {announced} elements and then had {}", self.written)))
            }
            Count::ToInsert { at } => {
                let mut count = Vec::new();
                scalar::put(&mut count, self.written as u64)?;
                self.encoder.body.splice(at..at, count);
                Ok(())
            }
        }
    }
}

macro_rules! compound {
    ($($trait:ident $method:ident;)*) => {
        $(impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<()> {
                self.close()
            }
        })*
    };
}

compound! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! compound_with_names {
    ($($trait:ident)*) => {
        $(impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _name: &'static str, value: &T) -> Result<()> {
                self.part(value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<()> {
                Err(Error::encode(format!(
                    "field `{name}` is left out (`skip_serializing_if`), and a reader could not know that; always write it"
                )))
            }

            fn end(self) -> Result<()> {
                self.close()
            }
        })*
    };
}

compound_with_names! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.encoder.element(value)
    }

    fn end(self) -> Result<()> {
        self.close()
    }
}
