//! A word that the kernel lets one wait for: one system call to sleep, one to wake, and none if nobody sleeps.

use std::{
    ptr,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use crate::Failure;

const NOTHING: u32 = 0;
const SIGNAL: u32 = 1;
const SOMEBODY_SLEEPS: u32 = 2;

/// For one who waits.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Futex(mp::RawValue<AtomicU32>);

impl Futex {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(mp::RawValue::new(0)?))
    }

    pub(crate) fn signal(&self) {
        if self.0.swap(SIGNAL, Release) == SOMEBODY_SLEEPS {
            // SAFETY: the word lives as long as the call.
            unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), libc::FUTEX_WAKE, 1) };
        }
    }

    /// Waits for the signal, and takes it.
    pub(crate) fn wait(&self) {
        while self.0.compare_exchange(SIGNAL, NOTHING, Acquire, Relaxed).is_err() {
            if self.0.compare_exchange(NOTHING, SOMEBODY_SLEEPS, Relaxed, Relaxed) == Err(SIGNAL) {
                continue;
            }
            let forever = ptr::null::<libc::timespec>();
            // SAFETY: as above; without a timeout.
            unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), libc::FUTEX_WAIT, SOMEBODY_SLEEPS, forever) };
        }
    }
}
