//! How a process gets an arena: it makes one, or is sent something that lies in another's.

use std::{
    fmt, fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    ptr::NonNull,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering},
};

use super::{
    heap::Heap,
    holders,
    layout::{Chunks, Header, MAGIC, VERSION},
};
use crate::{
    error::{Error, Result},
    sys::{
        futex,
        memfd::{self, Fixed},
        poll::Deadline,
        robust_mutex::Locked,
    },
};

/// An arena, as this process has it.
pub(crate) struct Arena {
    /// Opened by this process for itself: with it goes the claim that says that it lives.
    file: OwnedFd,
    identity: (u64, u64),
    holder: u32,
    chunks: Chunks,
}

/// No place among the holders.
const NOBODY: u32 = u32::MAX;

/// The arenas of others that something here lies in.
static OTHERS: Mutex<Vec<Weak<Arena>>> = Mutex::new(Vec::new());
/// The one in which this process makes things.
static OWN: Mutex<Option<Arc<Arena>>> = Mutex::new(None);

/// Before the process is copied: copies make things in arenas of their own, where their dead are told from each other. What is there
/// already stays where it is.
pub(crate) fn forget_own() {
    std::mem::forget(OWN.lock().unwrap_or_else(PoisonError::into_inner).take());
}

impl Arena {
    /// The one in which this process makes things.
    pub(crate) fn own() -> Result<Arc<Self>> {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arena) = &*own {
            return Ok(Arc::clone(arena));
        }
        let arena = Self::create().map_err(|error| error.context("cannot make shared memory"))?;
        others().push(Arc::downgrade(&arena));
        *own = Some(Arc::clone(&arena));
        Ok(arena)
    }

    pub(super) fn create() -> Result<Arc<Self>> {
        futex::check().map_err(|error| Error::os("use futexes", error))?;
        let file = memfd::create().map_err(|error| Error::os("create a memfd", error))?;
        memfd::grow(&file, Chunks::file_size(0) as u64).map_err(|error| Error::os("size a memfd", error))?;
        memfd::fix(&file, Fixed::LeastSize).map_err(|error| Error::os("seal a memfd", error))?;
        let arena = Self::open(&file, identity(file.as_fd())?)?;
        let header = arena.header()?;
        header.version.store(VERSION, Ordering::Relaxed);
        header.pid_namespace.store(pid_namespace(), Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
        arena.introduce()
    }

    /// The arena that `file` is, a descriptor that came in a message.
    pub(crate) fn attach(file: BorrowedFd<'_>) -> Result<Arc<Self>> {
        let identity = identity(file)?;
        let find =
            |others: &Vec<Weak<Self>>| others.iter().filter_map(Weak::upgrade).find(|arena| arena.identity == identity);
        if let Some(arena) = find(&others()) {
            return Ok(arena);
        }
        if !memfd::is_fixed(file, Fixed::LeastSize) {
            return Err(Error::protocol("what came is no shared memory of this library: it could shrink"));
        }
        let arena = Self::open(file, identity)?;
        let header = arena.header()?;
        if header.magic.load(Ordering::Acquire) != MAGIC || header.version.load(Ordering::Relaxed) != VERSION {
            return Err(Error::protocol(
                "what came is no shared memory of this library, or of another version; build both with the same `multiprocess`",
            ));
        }
        match (header.pid_namespace.load(Ordering::Relaxed), pid_namespace()) {
            (0, _) | (_, 0) => {}
            (theirs, own) if theirs == own => {}
            _ => {
                return Err(Error::unsupported(
                    "what came lies in the memory of a process of another PID namespace: its locks know their holders by \
                     numbers that mean others here",
                ));
            }
        }
        let arena = arena.introduce()?;
        // Without a lock in between: to drop an arena takes it too. Another thread may have been faster.
        let mut others = others();
        if let Some(first) = find(&others) {
            drop(others);
            return Ok(first);
        }
        others.retain(|other| other.strong_count() > 0);
        others.push(Arc::downgrade(&arena));
        Ok(arena)
    }

    /// A mapping of its own, not in anyone's list yet.
    fn open(file: impl AsFd, identity: (u64, u64)) -> Result<Self> {
        let file = memfd::reopen(file).map_err(|error| Error::os("open shared memory through /proc/self/fd", error))?;
        Ok(Self { file, identity, holder: NOBODY, chunks: Chunks::default() })
    }

    fn introduce(mut self) -> Result<Arc<Self>> {
        let holder = holders::claim(&self.lock()?, self.file.as_fd(), holders::PROCESS)?;
        self.holder = holder;
        Ok(Arc::new(self))
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The place of this process among its holders.
    pub(super) fn holder(&self) -> u32 {
        self.holder
    }

    /// Whoever locks this may change the arena. If the last one who did died in it, all is put in order first.
    pub(super) fn lock(&self) -> Result<Heap<'_>> {
        let mutex = &self.header()?.mutex;
        let locked = mutex.lock_within_the_library(Deadline::NEVER);
        match locked.map_err(|error| Error::os("lock shared memory", error))? {
            Locked::Yes => Ok(Heap::new(self)),
            Locked::OwnerDied => {
                let heap = Heap::new(self);
                heap.repair()?;
                mutex.mark_consistent();
                Ok(heap)
            }
            other => Err(Error::protocol(format!("shared memory cannot be locked: {other:?}"))),
        }
    }

    #[inline]
    pub(super) fn header(&self) -> Result<&Header> {
        self.part(0)
    }

    /// What lies at `offset`, which is inside the file and has the alignment of `T`.
    #[inline]
    pub(super) fn part<T>(&self, offset: usize) -> Result<&T> {
        let place = self.address(offset)?.cast::<T>();
        if !place.is_aligned() || offset / super::layout::SLAB != (offset + size_of::<T>() - 1) / super::layout::SLAB {
            return Err(damaged());
        }
        // SAFETY: mapped as long as `self`; aligned and inside one slab, hence one mapping, as just checked; and all that is looked at
        // so (`layout.rs`, and what implements `Part`) is made of atomics, for which any bytes will do.
        Ok(unsafe { place.as_ref() })
    }

    #[inline]
    pub(super) fn address(&self, offset: usize) -> Result<NonNull<u8>> {
        self.chunks.at(&self.file, offset).map_err(|error| Error::os("map shared memory", error))
    }

    /// Never unmaps it.
    pub(super) fn keep(&self) {
        self.chunks.keep();
    }
}

fn others() -> std::sync::MutexGuard<'static, Vec<Weak<Arena>>> {
    OTHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn identity(file: BorrowedFd<'_>) -> Result<(u64, u64)> {
    let stat =
        nix::sys::stat::fstat(file).map_err(|errno| Error::os("look at shared memory", io::Error::from(errno)))?;
    Ok((stat.st_dev, stat.st_ino))
}

/// The PID namespace of this process; zero: not known. `pid_namespaces(7)`
fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
}

/// Where numbers in the memory make no sense.
#[cold]
pub(super) fn damaged() -> Error {
    Error::protocol("shared memory is damaged: another process has written where it must not")
}

impl Drop for Arena {
    fn drop(&mut self) {
        // What is left of it there is a weak reference; the next one who attaches clears it away.
        if let Ok(heap) = self.lock() {
            holders::release(&heap, self.holder);
        }
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("file", &self.file).finish_non_exhaustive()
    }
}
