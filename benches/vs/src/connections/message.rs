//! What is sent.

use serde::{Deserialize, Serialize};

pub(crate) trait Message {
    /// A number that only who has read the message can know.
    fn weight(&self) -> u64;
}

impl Message for u64 {
    fn weight(&self) -> u64 {
        *self
    }
}

impl Message for Vec<u8> {
    fn weight(&self) -> u64 {
        self.len() as u64
    }
}

/// 64 bytes, of the kind that programs send by the million.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) number: u64,
    pub(crate) sensor: u32,
    pub(crate) state: u32,
    /// Since 1970, in nanoseconds.
    pub(crate) at: u64,
    pub(crate) place: [f64; 3],
    pub(crate) value: f64,
    pub(crate) error: f64,
}

const _: () = assert!(size_of::<Reading>() == 64);

pub(crate) const READING: Reading = Reading {
    number: 7_000_001,
    sensor: 4711,
    state: 2,
    at: 1_767_225_600_123_456_789,
    place: [52.5163, 13.3777, 34.0],
    value: 21.375,
    error: 0.0625,
};

impl Message for Reading {
    fn weight(&self) -> u64 {
        self.number
    }
}
