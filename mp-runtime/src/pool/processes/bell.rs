//! What a pool's workers wake the parent by: one word for all of them.

use std::{
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use crate::{
    error::{Error, Result},
    shm::words::Words,
    sys::{atomic::AtomicU32, eventfd, futex},
};

const WORD: usize = 0;
const MODE: usize = 8;
const LENGTH: usize = 512;

/// Who sleeps, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Mode {
    /// The pool's own thread, in `poll(2)`: it is told through the eventfd.
    Polling = 0,
    /// A thread that waits for a result, on the word.
    Waiting = 1,
}

/// The word, and an eventfd beside it.
#[derive(Debug)]
pub(in crate::pool) struct Bell {
    words: Words,
    event: OwnedFd,
}

impl Bell {
    /// A new one, and the file that its word is in.
    pub(super) fn new() -> Result<(Self, OwnedFd)> {
        let (words, memfd) = Words::create(LENGTH).map_err(|error| Error::os("make a pool's shared memory", error))?;
        let event = eventfd::create().map_err(|error| Error::os("make an eventfd", error))?;
        Ok((Self { words, event }, memfd))
    }

    pub(super) fn received(memfd: OwnedFd, event: OwnedFd) -> Result<Self> {
        let words = Words::received(memfd, LENGTH).map_err(|error| Error::os("map the pool's shared memory", error))?;
        Ok(Self { words, event })
    }

    fn word(&self) -> Option<&AtomicU32> {
        self.words.half(WORD)
    }

    fn mode_word(&self) -> Option<&AtomicU64> {
        self.words.get(MODE)
    }

    pub(super) fn event(&self) -> &OwnedFd {
        &self.event
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        if let Some(word) = self.mode_word() {
            word.store(mode as u64, SeqCst);
        }
    }

    /// Wakes whoever sleeps.
    pub(in crate::pool) fn ring(&self) {
        let (Some(word), Some(mode)) = (self.word(), self.mode_word()) else { return };
        word.fetch_add(1, SeqCst);
        if mode.load(SeqCst) == Mode::Waiting as u64 {
            futex::wake(word, 1);
        } else {
            eventfd::tell(&self.event);
        }
    }

    /// How often it was rung. To be asked before the last look at what it rings for.
    pub(super) fn rung(&self) -> u32 {
        self.word().map_or(0, |word| word.load(SeqCst))
    }

    /// Sleeps until it is rung once more than that.
    pub(super) fn wait(&self, rung: u32, most: Option<Duration>) {
        if let Some(word) = self.word() {
            futex::wait(word, rung, most);
        }
    }
}
