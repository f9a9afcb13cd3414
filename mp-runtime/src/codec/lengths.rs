//! Items one behind the other: each has its length before it, so that one that makes no sense does not spoil those behind it.
//!
//! A length below 255 is one byte; a larger one is a byte of 255 and four more.

use serde::Serialize;

use super::encoder::Encoder;
use crate::error::Result;

/// What a length is written in beyond which it takes five bytes.
const LONG: usize = 255;

/// Puts an item behind others.
#[inline]
pub(crate) fn put(into: &mut Vec<u8>, item: &[u8]) {
    let (prefix, length) = prefix(item.len());
    into.extend_from_slice(prefix.get(..length).unwrap_or_default());
    into.extend_from_slice(item);
}

/// What is to stand before an item, and how long that is.
#[inline]
pub(crate) fn prefix(length: usize) -> ([u8; 5], usize) {
    if length < LONG {
        return ([length as u8, 0, 0, 0, 0], 1);
    }
    let [a, b, c, d] = (length as u32).to_le_bytes();
    ([LONG as u8, a, b, c, d], 5)
}

/// Where the first item is; `None` if the bytes make no sense.
#[inline]
pub(crate) fn first(bytes: &[u8]) -> Option<(usize, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (start, length) = match first as usize {
        LONG => (5, u32::from_le_bytes(*rest.first_chunk()?) as usize),
        length => (1, length),
    };
    let end = start + length;
    (end <= bytes.len()).then_some((start, end))
}

/// Where the first `count` items end.
pub(crate) fn skip(bytes: &[u8], count: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..count {
        at += first(bytes.get(at..)?)?.1;
    }
    Some(at)
}

impl Encoder {
    /// Appends `value` with its length before it. Returns how many bytes it takes by itself.
    #[inline]
    pub(crate) fn put_measured<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<usize> {
        let at = self.body.len();
        self.body.push(0);
        self.element(value)?;
        let length = self.body.len() - at - 1;
        match (prefix(length), self.body.get_mut(at)) {
            (([first, ..], 1), Some(place)) => *place = first,
            ((prefix, count), _) => drop(self.body.splice(at..=at, prefix.into_iter().take(count))),
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_as_they_went_in() {
        let items: Vec<Vec<u8>> = [0, 1, 254, 255, 256, 70_000].iter().map(|length| vec![7; *length]).collect();
        let mut bytes = Vec::new();
        items.iter().for_each(|item| put(&mut bytes, item));
        let mut at = 0;
        for item in &items {
            let (start, end) = first(&bytes[at..]).unwrap_or_default();
            assert_eq!(&bytes[at + start..at + end], item.as_slice());
            at += end;
        }
        assert_eq!(skip(&bytes, items.len()), Some(bytes.len()));
        assert_eq!(skip(&bytes, items.len() + 1), None);
        assert_eq!(first(&[255, 1, 0]), None);
        assert_eq!(first(&[3, 1, 0]), None);
    }
}
