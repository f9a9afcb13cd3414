//! How one scalar looks: bincode 2, standard configuration (little endian, integers of variable length).
//!
//! bincode is finished and gets no more releases. This is the only file that names it.

use bincode::{
    Decode, Encode,
    config::{self, Configuration},
    enc::write::Writer,
    error::{DecodeError, EncodeError},
};

use crate::error::{Error, Result};

const CONFIG: Configuration = config::standard();

/// Appends a scalar.
pub(super) fn put<T: Encode>(bytes: &mut Vec<u8>, value: T) -> Result<()> {
    bincode::encode_into_writer(value, Appender(bytes), CONFIG).map_err(|error| Error::encode(error.to_string()))
}

/// Takes a scalar off the front.
pub(super) fn take<T: Decode<()>>(bytes: &mut &[u8]) -> Result<T> {
    let (value, used) = bincode::decode_from_slice(bytes, CONFIG).map_err(|error| match error {
        DecodeError::UnexpectedEnd { .. } => Error::decode("the bytes end inside a value"),
        error => Error::decode(error.to_string()),
    })?;
    *bytes = bytes.get(used..).unwrap_or_default();
    Ok(value)
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
