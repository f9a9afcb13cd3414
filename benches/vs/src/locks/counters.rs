//! Numbers that several processes count up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{Done, bare, said};
use crate::Failure;

pub(crate) trait Counter: Clone {
    fn add_one(&self) -> Done;
    fn sum(&self) -> u64;

    fn count(&self, count: u32) -> Done {
        (0..count).try_for_each(|_| self.add_one())
    }
}

/// A number beside a mutex, and nothing more.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Bare(bare::Mutex, mp::RawValue<AtomicU64>);

impl Bare {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(bare::Mutex::new()?, mp::RawValue::new(0)?))
    }
}

impl Counter for Bare {
    #[inline]
    fn add_one(&self) -> Done {
        self.0.lock()?;
        self.1.store(self.1.load(Relaxed) + 1, Relaxed);
        self.0.unlock()
    }

    fn sum(&self) -> u64 {
        self.1.load(Relaxed)
    }
}

impl Counter for mp::Value<u64> {
    #[inline]
    fn add_one(&self) -> Done {
        self.fetch_add(1).map(drop).map_err(said)
    }

    fn sum(&self) -> u64 {
        self.get()
    }
}

/// 64 bytes, all of which change.
impl Counter for mp::Value<[u64; 8]> {
    #[inline]
    fn add_one(&self) -> Done {
        self.with(|numbers| numbers.iter_mut().for_each(|number| *number += 1)).map_err(said)
    }

    fn sum(&self) -> u64 {
        self.get()[7]
    }
}

impl Counter for mp::RawValue<AtomicU64> {
    #[inline]
    fn add_one(&self) -> Done {
        self.fetch_add(1, Relaxed);
        Ok(())
    }

    fn sum(&self) -> u64 {
        self.load(Relaxed)
    }
}
