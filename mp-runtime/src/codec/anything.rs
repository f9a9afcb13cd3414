//! Anything, decoded as everything: for the property tests and the fuzzer.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::Write,
    os::fd::OwnedFd,
};

use serde::{Deserialize, Serialize};

use super::{Decoder, Message};
use crate::sys::memfd::{self, Fixed};

/// A value of every shape that serde knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Value {
    Nothing,
    Flag(bool),
    Signed(i8, i16, i32, i64, i128),
    Unsigned(u8, u16, u32, u64, u128),
    Real { single: f32, double: f64 },
    Text(String),
    Letter(char),
    Bytes(Vec<u8>),
    Numbers(Vec<i64>, Vec<f32>, Vec<u16>),
    Maybe(Option<Box<Value>>),
    Many(Vec<Value>),
    Named(BTreeMap<String, Value>),
}

/// Takes `bytes` for a message, with `memory` as its memfd, and decodes it as one type after the other.
pub fn decode_anything(bytes: &[u8], memory: Option<&[u8]>) {
    let Ok(fds) = memory.map(sealed).into_iter().collect::<std::io::Result<Vec<_>>>() else { return };
    let fds = fds.into_iter().map(Into::into).collect();
    let Ok(message) = Message::new(bytes.to_vec(), fds) else { return };
    Decoder::new(&message).take::<Value>().ok();
    Decoder::new(&message).take::<Vec<String>>().ok();
    Decoder::new(&message).take::<Vec<()>>().ok();
    Decoder::new(&message).take::<(Vec<f64>, Option<char>, BTreeMap<u8, bool>)>().ok();
    Decoder::new(&message).take::<VecDeque<u16>>().ok();
}

/// A sealed memfd with that in it.
pub(crate) fn sealed(content: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = File::from(memfd::create()?);
    file.write_all(content)?;
    memfd::fix(&file, Fixed::Content)?;
    Ok(OwnedFd::from(file))
}
