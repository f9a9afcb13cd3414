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
pub(super) fn put<T: Encode>(bytes: &mut Vec<u8>, value: T) -> Result<()> {
    value.encode(&mut EncoderImpl::new(Appender(bytes), CONFIG)).map_err(|error| Error::encode(error.to_string()))
}

/// Takes a scalar off the front.
#[inline]
pub(super) fn take<T: Decode<()>>(bytes: &mut &[u8]) -> Result<T> {
    T::decode(&mut DecoderImpl::new(Front(bytes), CONFIG, ())).map_err(|error| match error {
        DecodeError::UnexpectedEnd { .. } => Error::decode("the bytes end inside a value"),
        error => Error::decode(error.to_string()),
    })
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
