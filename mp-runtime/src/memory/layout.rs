//! The bytes of CPython's `ShareableList` (`Lib/multiprocessing/shared_memory.py`; compared: 3.9.18 to 3.13.0. 3.8 has another one).
//!
//! ```text
//! i64             n, the number of items
//! i64 × (n + 1)   where the slot of each item begins in the data, and where the last one ends
//! bytes           the data: a slot for each item
//! 8 bytes × n     how the slot's content is packed: a format of Python's `struct`, padded with NUL
//! i8 × n          what becomes of the unpacked value: 0 nothing, 1 a str, 2 bytes, 3 None
//! ```
//!
//! All numbers are the machine's own. The slot of a str or bytes is a multiple of 8 longer than the item; all others are
//! of 8 bytes. A str or bytes is padded with NULs to the length of its slot, and CPython takes all NULs off its end: which
//! were the item's own, it does not know. For bytes that end in NUL there is a format that it reads right, though it does
//! not write it: code 0, which leaves the unpacked bytes as they are, and their own length in front of
//! the padding, as in `5s3x`. It does not end in `s`, so that CPython, when it puts another item there, makes the format anew
//! from the length of the slot. For a str there is none.

use std::str;

use super::ListItem;
use crate::error::{Error, Result};

/// Of every number, and of every slot.
pub(super) const UNIT: usize = 8;

const AS_IT_IS: i8 = 0;
const STR: i8 = 1;
const BYTES: i8 = 2;
const NONE: i8 = 3;

/// An item as it lies in its slot.
#[derive(Debug)]
pub(super) struct Packed {
    /// Not longer than the slot; what is behind it in there does not matter.
    pub(super) content: Vec<u8>,
    pub(super) format: [u8; UNIT],
    pub(super) code: i8,
}

/// The length of the slot that an item gets in a new list.
pub(super) fn slot(item: &ListItem) -> usize {
    match item {
        ListItem::Str(text) => UNIT * (text.len() / UNIT + 1),
        ListItem::Bytes(bytes) => UNIT * (bytes.len() / UNIT + 1),
        _ => UNIT,
    }
}

/// Packs an item for a slot of that length.
pub(super) fn pack(item: &ListItem, slot: usize) -> Result<Packed> {
    let (content, format, code) = match item {
        ListItem::None => (vec![0; UNIT], "xxxxxx?x".to_owned(), NONE),
        ListItem::Bool(value) => (vec![0, 0, 0, 0, 0, 0, 0, u8::from(*value)], "xxxxxxx?".to_owned(), AS_IT_IS),
        ListItem::Int(value) => (value.to_ne_bytes().to_vec(), "q".to_owned(), AS_IT_IS),
        ListItem::Float(value) => (value.to_ne_bytes().to_vec(), "d".to_owned(), AS_IT_IS),
        ListItem::Str(text) if text.ends_with('\0') => {
            return Err(Error::invalid("a str of a ShareableList cannot end in NUL: it would be lost"));
        }
        ListItem::Str(text) => (text.as_bytes().to_vec(), format!("{slot}s"), STR),
        ListItem::Bytes(bytes) if bytes.last() != Some(&0) => (bytes.clone(), format!("{slot}s"), BYTES),
        ListItem::Bytes(bytes) => (bytes.clone(), exact(bytes.len(), slot), AS_IT_IS),
    };
    if content.len() > slot {
        let text = format!("bytes/str item exceeds available storage: {} bytes in a slot of {slot}", content.len());
        return Err(Error::invalid(text));
    }
    let mut padded = [0; UNIT];
    let Some(place) = padded.get_mut(..format.len()) else {
        let text = format!("{} bytes are too long for a ShareableList: their format '{format}' is", content.len());
        return Err(Error::invalid(text + " longer than 8 characters"));
    };
    place.copy_from_slice(format.as_bytes());
    Ok(Packed { content: padded_to(content, item, slot), format: padded, code })
}

/// The format of bytes with their own length.
fn exact(length: usize, slot: usize) -> String {
    match slot.saturating_sub(length) {
        0 => format!("{length}s"),
        padding => format!("{length}s{padding}x"),
    }
}

/// NULs behind a str and bytes, as `struct` does it.
fn padded_to(mut content: Vec<u8>, item: &ListItem, slot: usize) -> Vec<u8> {
    if matches!(item, ListItem::Str(_) | ListItem::Bytes(_)) {
        content.resize(slot, 0);
    }
    content
}

/// How to read a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    None,
    Bool,
    Int,
    Float,
    /// NULs at the end are padding.
    Str(usize),
    /// NULs at the end are padding.
    Bytes(usize),
    /// All of them.
    Exactly(usize),
}

impl Kind {
    /// What format and code mean; `None` if CPython does not write that, nor we.
    pub(super) fn parse(format: &[u8; UNIT], code: i8) -> Option<Self> {
        let end = format.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let format = str::from_utf8(format.get(..end)?).ok()?;
        match (format, code) {
            ("xxxxxx?x", NONE) => Some(Self::None),
            ("xxxxxxx?", AS_IT_IS) => Some(Self::Bool),
            ("q", AS_IT_IS) => Some(Self::Int),
            ("d", AS_IT_IS) => Some(Self::Float),
            _ => {
                let (length, padding) = format.split_once('s')?;
                let length = number(length)?;
                if !padding.is_empty() {
                    number(padding.strip_suffix('x')?)?;
                }
                match code {
                    AS_IT_IS => Some(Self::Exactly(length)),
                    STR => Some(Self::Str(length)),
                    BYTES => Some(Self::Bytes(length)),
                    _ => None,
                }
            }
        }
    }

    /// How many bytes of the slot are read.
    pub(super) fn length(self) -> usize {
        match self {
            Self::None => 0,
            Self::Bool | Self::Int | Self::Float => UNIT,
            Self::Str(length) | Self::Bytes(length) | Self::Exactly(length) => length,
        }
    }

    /// The item that these bytes are.
    pub(super) fn unpack(self, mut content: Vec<u8>) -> Result<ListItem> {
        if matches!(self, Self::Str(_) | Self::Bytes(_)) {
            content.truncate(content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        }
        let number = || content.first_chunk().copied().unwrap_or_default();
        Ok(match self {
            Self::None => ListItem::None,
            Self::Bool => ListItem::Bool(content.last().is_some_and(|byte| *byte != 0)),
            Self::Int => ListItem::Int(i64::from_ne_bytes(number())),
            Self::Float => ListItem::Float(f64::from_ne_bytes(number())),
            Self::Str(_) => ListItem::Str(
                String::from_utf8(content)
                    .map_err(|error| Error::decode(format!("a str of a ShareableList is no UTF-8: {error}")))?,
            ),
            Self::Bytes(_) | Self::Exactly(_) => ListItem::Bytes(content),
        })
    }
}

/// Digits, and nothing else.
fn number(digits: &str) -> Option<usize> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// All of a new list.
pub(super) fn whole(items: &[ListItem]) -> Result<Vec<u8>> {
    let count = items.len();
    let data: usize = items.iter().map(slot).sum();
    let mut bytes = Vec::with_capacity((count + 2) * UNIT + data + count * (UNIT + 1));
    bytes.extend((count as i64).to_ne_bytes());
    let mut offset = 0_i64;
    bytes.extend(offset.to_ne_bytes());
    for item in items {
        offset += slot(item) as i64;
        bytes.extend(offset.to_ne_bytes());
    }
    let (mut formats, mut codes) = (Vec::with_capacity(count * UNIT), Vec::with_capacity(count));
    for (position, item) in items.iter().enumerate() {
        let packed =
            pack(item, slot(item)).map_err(|error| error.context(format!("item {position} of a ShareableList")))?;
        bytes.extend(packed.content);
        formats.extend(packed.format);
        codes.extend(packed.code.to_ne_bytes());
    }
    bytes.extend(formats);
    bytes.extend(codes);
    Ok(bytes)
}
