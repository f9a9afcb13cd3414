//! How one scalar looks: bincode 2, standard configuration (little endian, integers of variable length).
//!
//! bincode is finished and gets no more releases. This is the only file that names it.

use bincode::{
    Decode, Encode,
    config::{self, Configuration},
    de::{DecoderImpl, read::Reader},
    enc::{EncoderImpl, write::Writer},
    error::{DecodeError, EncodeError},
};

use crate::error::{Error, Result};

const CONFIG: Configuration = config::standard();

/// Appends a scalar.
#[inline]
pub(super) fn put<T: Scalar>(bytes: &mut Vec<u8>, value: T) -> Result<()> {
    value.put(bytes)
}

/// Takes a scalar off the front.
#[inline]
pub(super) fn take<T: Scalar>(bytes: &mut &[u8]) -> Result<T> {
    T::take(bytes)
}

/// What is written and read as bincode has it.
pub(super) trait Scalar: Encode + Decode<()> {
    #[inline]
    fn put(self, bytes: &mut Vec<u8>) -> Result<()> {
        self.encode(&mut EncoderImpl::new(Appender(bytes), CONFIG)).map_err(|error| Error::encode(error.to_string()))
    }

    #[inline]
    fn take(bytes: &mut &[u8]) -> Result<Self> {
        by_bincode(bytes)
    }
}

fn by_bincode<T: Decode<()>>(bytes: &mut &[u8]) -> Result<T> {
    T::decode(&mut DecoderImpl::new(Front(bytes), CONFIG, ())).map_err(|error| match error {
        DecodeError::UnexpectedEnd { .. } => Error::decode("the bytes end inside a value"),
        error => Error::decode(error.to_string()),
    })
}

macro_rules! scalars {
    ($($type:ty)*) => { $(impl Scalar for $type {})* };
}

scalars! { bool i8 u8 i128 u128 f32 f64 char }

/// In place of a number's first byte: so many bytes follow.
const TWO: u8 = 251;
const FOUR: u8 = 252;
const EIGHT: u8 = 253;

/// Integers of variable length are most of what most messages hold: theirs are written in one go, and read without a call. (Measured:
/// a third of the time of eight large ones.) What is unusual goes bincode's way.
macro_rules! integers {
    ($($signed:ty, $unsigned:ty, $largest:ident;)*) => {
        $(
            impl Scalar for $unsigned {
                #[inline]
                fn put(self, bytes: &mut Vec<u8>) -> Result<()> {
                    put_unsigned(bytes, u64::from(self));
                    Ok(())
                }

                #[inline]
                fn take(bytes: &mut &[u8]) -> Result<Self> {
                    if let Some((value, length)) = look_at_unsigned(bytes, $largest) {
                        *bytes = bytes.get(length..).unwrap_or_default();
                        return Ok(value as $unsigned);
                    }
                    by_bincode(bytes)
                }
            }

            impl Scalar for $signed {
                #[inline]
                fn put(self, bytes: &mut Vec<u8>) -> Result<()> {
                    // Small ones of either sign become small ones.
                    let value = i64::from(self);
                    put_unsigned(bytes, (value << 1 ^ value >> 63).cast_unsigned());
                    Ok(())
                }

                #[inline]
                fn take(bytes: &mut &[u8]) -> Result<Self> {
                    let value = <$unsigned as Scalar>::take(bytes)?;
                    Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
                }
            }
        )*
    };
}

integers! {
    i16, u16, TWO;
    i32, u32, FOUR;
    i64, u64, EIGHT;
}

#[inline]
fn put_unsigned(bytes: &mut Vec<u8>, value: u64) {
    fn put<const N: usize>(bytes: &mut Vec<u8>, first: u8, value: [u8; 8]) {
        let mut all = [0; N];
        all[0] = first;
        all[1..].copy_from_slice(&value[..N - 1]);
        bytes.extend_from_slice(&all);
    }
    let little = value.to_le_bytes();
    match value {
        0..=250 => bytes.push(value as u8),
        251..=0xffff => put::<3>(bytes, TWO, little),
        0x1_0000..=0xffff_ffff => put::<5>(bytes, FOUR, little),
        _ => put::<9>(bytes, EIGHT, little),
    }
}

/// The number at the front and how many bytes it takes; none if they are not there, or it is none of these.
#[inline]
fn look_at_unsigned(bytes: &[u8], largest: u8) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let rest = bytes.get(1..)?;
    match first {
        0..TWO => Some((u64::from(first), 1)),
        TWO => Some((u64::from(u16::from_le_bytes(*rest.first_chunk()?)), 3)),
        FOUR if largest >= FOUR => Some((u64::from(u32::from_le_bytes(*rest.first_chunk()?)), 5)),
        EIGHT if largest >= EIGHT => Some((u64::from_le_bytes(*rest.first_chunk()?), 9)),
        _ => None,
    }
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

struct Front<'a, 'b>(&'a mut &'b [u8]);

impl Reader for Front<'_, '_> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> Result<(), DecodeError> {
        let Some((front, rest)) = self.0.split_at_checked(into.len()) else {
            return Err(DecodeError::UnexpectedEnd { additional: into.len() - self.0.len() });
        };
        into.copy_from_slice(front);
        *self.0 = rest;
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, length: usize) -> Option<&[u8]> {
        self.0.get(..length)
    }

    #[inline]
    fn consume(&mut self, length: usize) {
        *self.0 = self.0.get(length..).unwrap_or_default();
    }
}
