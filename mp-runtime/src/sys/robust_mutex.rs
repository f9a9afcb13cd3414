//! A lock in shared memory whose holder may die: the algorithm is in `sync/README.md`, with the argument why it loses no
//! wake-up wherever a process is killed.

use std::{cell::Cell, hint, io, ptr, sync::atomic::Ordering, time::Duration};

use crate::fault;

use super::{
    atomic::AtomicU32,
    futex,
    poll::Deadline,
    robust_list::{self, Entry, MAX_HELD},
    sched_getaffinity,
};

/// In the word: the number of the thread that holds the lock.
const TID: u32 = 0x3fff_ffff;
/// In the word: its holder has died. Only the kernel sets this.
const OWNER_DIED: u32 = 0x4000_0000;
/// In the word, always with a holder's number: wake somebody when this thread dies.
const WAITERS: u32 = 0x8000_0000;

/// How often to look again before sleeping: about as long as another process needs to lock, do a little and unlock.
const SPINS: u32 = if cfg!(loom) { 0 } else { 100 };
/// After so many it is worth a system call to know whether more make sense.
const FEW_SPINS: u32 = 10;

/// Linux before 6.2 wakes nobody in the place of a waiter that is killed after it was woken because of a death.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The lock. It exists in shared memory only, where all bytes zero is a free one; the arena, which owns that memory, does not unmap
/// it or use it for something else while a thread of this process holds the lock.
#[repr(C)]
#[derive(Debug)]
#[cfg_attr(loom, derive(Default))]
pub(crate) struct RobustMutex {
    word: AtomicU32,
    /// How many are about to sleep or asleep. Those who were killed there are still counted.
    sleepers: AtomicU32,
    /// The process of a holder who has died, if nobody has said since that all is well again.
    died: AtomicU32,
    /// How often the holder has locked it beyond the first time.
    depth: AtomicU32,
    /// The process of the last one who locked it.
    holder: AtomicU32,
    unused: AtomicU32,
    entry: Entry,
}

#[cfg(not(loom))]
const _: () = assert!(
    std::mem::offset_of!(RobustMutex, entry).cast_signed() + size_of::<usize>().cast_signed() == -robust_list::OFFSET
);

/// A wake-up that a thread has put off until it gives a lock back: woken earlier, the others would only run into that lock.
#[derive(Clone, Copy, Debug)]
struct Owed {
    mutex: *const RobustMutex,
    /// What they sleep on. Only the address is used: that memory may be gone by then, and so may they.
    word: *const AtomicU32,
}

thread_local! {
    static OWED: Cell<Owed> = const { Cell::new(Owed { mutex: ptr::null(), word: ptr::null() }) };
}

/// Holds a mutex for this library; releases it when dropped.
#[derive(Debug)]
pub(crate) struct Held<'a>(pub(crate) &'a RobustMutex);

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// Runs `change`. If this thread is killed in it, the kernel wakes one who sleeps on `word`: no number of a thread may stand there,
/// that is in the lower 30 bits. The caller holds a lock, and takes or releases none meanwhile.
#[inline]
pub(crate) fn wake_if_killed<R>(word: &AtomicU32, change: impl FnOnce() -> R) -> R {
    robust_list::begin(word);
    let changed = change();
    Entry::end();
    changed
}

/// How locking went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// The caller holds it now.
    Yes,
    /// The caller holds it now; the one before died while it did.
    OwnerDied,
    /// The caller has held it before.
    Already,
    /// The deadline has passed.
    TimedOut,
    /// The caller holds too many others.
    TooMany,
}

impl RobustMutex {
    /// Waits until nobody else holds it, or the deadline.
    #[inline]
    pub(crate) fn lock(&self, deadline: Deadline) -> io::Result<Locked> {
        if robust_list::held() >= MAX_HELD {
            return Ok(Locked::TooMany);
        }
        self.lock_within_the_library(deadline)
    }

    /// The same for those few that this library itself holds for a moment, however many others the caller has.
    #[inline]
    pub(crate) fn lock_within_the_library(&self, deadline: Deadline) -> io::Result<Locked> {
        let tid = robust_list::tid()?;
        self.entry.begin();
        let taken = self.word.compare_exchange(0, tid | WAITERS, Ordering::Acquire, Ordering::Relaxed);
        let locked = match taken {
            Ok(_) => self.taken(0),
            Err(word) => self.lock_slowly(tid, word, deadline),
        };
        Entry::end();
        Ok(locked)
    }

    #[inline]
    fn taken(&self, word: u32) -> Locked {
        fault::point_named("mutex-taken");
        self.entry.enter();
        fault::point_named("mutex-entered");
        if word & OWNER_DIED != 0 {
            self.depth.store(0, Ordering::Relaxed);
            self.died.store(self.holder.load(Ordering::Relaxed).max(1), Ordering::Relaxed);
        }
        self.holder.store(robust_list::pid(), Ordering::Relaxed);
        if self.died.load(Ordering::Relaxed) == 0 { Locked::Yes } else { Locked::OwnerDied }
    }

    #[cold]
    fn lock_slowly(&self, tid: u32, mut word: u32, deadline: Deadline) -> Locked {
        if word & TID == tid {
            return Locked::Already;
        }
        let mut spins = 0;
        loop {
            if word & TID == 0 {
                match self.word.compare_exchange(word, tid | WAITERS, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return self.taken(word),
                    Err(now) => word = now,
                }
            } else if spins < SPINS && !deadline.is_now() {
                spins += 1;
                // Where the holder cannot run meanwhile, each further one is lost.
                if spins == FEW_SPINS && sched_getaffinity::is_one() {
                    spins = SPINS;
                }
                hint::spin_loop();
                word = self.word.load(Ordering::Relaxed);
            } else if deadline.is_over() {
                return Locked::TimedOut;
            } else {
                self.sleepers.fetch_add(1, Ordering::SeqCst);
                futex::wait(&self.word, word, Some(deadline.rest_at_most(LONGEST_SLEEP)));
                self.sleepers.fetch_sub(1, Ordering::SeqCst);
                word = self.word.load(Ordering::Relaxed);
            }
        }
    }

    /// Gives it back. Nothing happens if the caller does not hold it, as in the child of a `fork`.
    #[inline]
    pub(crate) fn unlock(&self) {
        if !self.is_mine() {
            return;
        }
        self.entry.begin();
        self.entry.leave();
        fault::point_named("mutex-left");
        self.word.swap(0, Ordering::SeqCst);
        fault::point_named("mutex-free");
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            futex::wake(&self.word, 1);
        }
        Entry::end();
        if OWED.with(|owed| ptr::eq(owed.get().mutex, self)) {
            Self::wake_owed();
        }
    }

    /// Wakes all who sleep on `word` and then want this lock: as soon as the calling thread gives it back; now, if it does
    /// not hold it. A holder that dies before that wakes nobody, so they look by themselves now and then.
    pub(crate) fn wake_when_unlocked(&self, word: &AtomicU32) {
        let owed = OWED.with(Cell::get);
        if !self.is_mine() || !(owed.mutex.is_null() || (ptr::eq(owed.mutex, self) && ptr::eq(owed.word, word))) {
            // Not its holder, or it owes others something already.
            futex::wake(word, u32::MAX);
        } else {
            OWED.with(|owed| owed.set(Owed { mutex: self, word }));
        }
    }

    #[cold]
    fn wake_owed() {
        let owed = OWED.with(|owed| owed.replace(Owed { mutex: ptr::null(), word: ptr::null() }));
        futex::wake_at(owed.word, u32::MAX);
    }

    /// Gives back what one `lock` or one increment of [`depth`](Self::depth) took.
    #[inline]
    pub(crate) fn unlock_once(&self) {
        match self.depth.load(Ordering::Relaxed) {
            0 => self.unlock(),
            more if self.is_mine() => self.depth.store(more - 1, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Whether the calling thread holds it.
    #[inline]
    pub(crate) fn is_mine(&self) -> bool {
        robust_list::is_own_tid(self.word.load(Ordering::Relaxed) & TID)
    }

    /// The process that holds it, if one does that lives.
    pub(crate) fn holder(&self) -> Option<u32> {
        self.is_held().then(|| self.holder.load(Ordering::Relaxed))
    }

    /// Whether a living thread holds it.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.word.load(Ordering::Relaxed) & TID != 0
    }

    /// Whether a holder has died, and nobody has said since that all is well again.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.word.load(Ordering::Relaxed) & OWNER_DIED != 0 || self.died().is_some()
    }

    /// The process that died as its holder, if nobody has said since that all is well again.
    pub(crate) fn died(&self) -> Option<u32> {
        match self.died.load(Ordering::Relaxed) {
            0 => None,
            pid => Some(pid),
        }
    }

    /// Says that what it protects is whole again, whoever has died.
    pub(crate) fn mark_consistent(&self) {
        self.died.store(0, Ordering::Relaxed);
    }

    /// How often its holder has locked it beyond the first time: the holder's to read and to write.
    pub(crate) fn depth(&self) -> &AtomicU32 {
        &self.depth
    }
}
