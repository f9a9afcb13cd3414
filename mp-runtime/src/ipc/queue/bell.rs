//! How those who wait for a side's next change learn of it: of an item, on the side of those who put; of room, on the other.
//!
//! Whoever waits sleeps on a word for a moment, which is quickest; then on a descriptor, which tells of the other side's end too. The
//! `README.md` has the argument why no death hides a change from them.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::atomic::Ordering::{Relaxed, Release, SeqCst},
    time::Duration,
};

use super::place::Place;
use crate::{
    error::{Error, Result},
    fault,
    shm::layouts::{QueueFront, QueueSide},
    sys::{
        futex, recvmsg,
        robust_mutex::wake_if_killed,
        socket::{self, Wait, would_block},
    },
};

/// In `awake`.
const ASLEEP: u32 = 0;
/// No number of a thread: `wake_if_killed`.
const AWAKE: u32 = 1 << 31;

/// In `hammer`: the next change has to be told on the descriptor.
const RAISED: u32 = 1;
/// It was told: a token lies there until somebody finds that there is nothing any more.
const FALLEN: u32 = 2;
/// Somebody is about to tell, or to take the tokens away; or died there, and it is not known whether a token lies there.
const MOVING: u32 = 3;

/// One side's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bell<'a> {
    pub(super) side: &'a QueueSide,
    pub(super) front: &'a QueueFront,
}

impl Bell<'_> {
    /// Changes the place, in one store, and tells those who wait; returns whether somebody was woken. With the lock of the side; `end` is that of the side's own users.
    #[inline]
    pub(super) fn ring(self, end: BorrowedFd<'_>, place: Place) -> Result<bool> {
        if self.side.hammer.load(Relaxed) != FALLEN {
            self.tell(end)?;
        }
        let woken = wake_if_killed(&self.front.awake, || {
            fault::point_named("queue-before-commit");
            self.front.place.swap(place.pack(), SeqCst);
            fault::point_named("queue-committed");
            self.wake()
        });
        Ok(woken)
    }

    /// Puts a token before the change: whoever dies in between has told too much, not too little.
    #[cold]
    pub(super) fn tell(self, end: BorrowedFd<'_>) -> Result<()> {
        self.side.hammer.store(MOVING, Relaxed);
        fault::point_named("queue-moving");
        match socket::send(end, &[0], Wait::No) {
            // Full of tokens, or nobody is there to read them.
            Err(error) if !would_block(&error) && !is_gone(&error) => {
                return Err(Error::os("tell of a change in a queue", error));
            }
            _ => {}
        }
        fault::point_named("queue-sent");
        self.side.hammer.store(FALLEN, Relaxed);
        fault::point_named("queue-told");
        Ok(())
    }

    /// Wakes whoever sleeps on the word. Returns whether somebody did.
    #[inline]
    pub(super) fn wake(self) -> bool {
        if self.front.awake.load(SeqCst) != ASLEEP {
            return false;
        }
        self.front.awake.store(AWAKE, Release);
        fault::point_named("queue-before-wake");
        futex::wake(&self.front.awake, 1) > 0
    }

    /// Sleeps until woken, unless the change is there already. For one at a time: who has the turn. Returns early for any reason or none.
    pub(super) fn sleep(self, most: Duration, is_there: impl FnOnce() -> bool) {
        self.front.awake.store(ASLEEP, SeqCst);
        if !is_there() {
            futex::wait(&self.front.awake, ASLEEP, Some(most));
        }
        // Nobody needs to wake him any more; who does so all the same does no harm.
        self.front.awake.store(AWAKE, Relaxed);
    }

    /// From now on the descriptor tells of the next change. With the lock of the side, and no change there; `end` is that of those who wait.
    pub(super) fn raise(self, end: BorrowedFd<'_>) -> Result<()> {
        self.side.hammer.store(MOVING, Relaxed);
        fault::point_named("queue-raised");
        drain(end).map_err(|error| Error::os("wait for a queue", error))?;
        fault::point_named("queue-drained");
        self.side.hammer.store(RAISED, Relaxed);
        Ok(())
    }

    /// Whether the descriptor tells of something that is gone, if nothing is there.
    pub(super) fn has_told(self) -> bool {
        self.side.hammer.load(Relaxed) != RAISED
    }
}

/// Whether an error says that the other side is gone. It is said once even if there is more to read.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::ECONNRESET | nix::libc::EPIPE))
}

/// Takes all tokens away.
fn drain(end: BorrowedFd<'_>) -> io::Result<()> {
    let mut token = Vec::with_capacity(1);
    loop {
        match recvmsg::recv(end, &mut token, &mut Vec::new(), Wait::No) {
            // Its end.
            Ok(_) if token.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(error) if would_block(&error) => return Ok(()),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
}
