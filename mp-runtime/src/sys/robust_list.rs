//! `get_robust_list(2)`: the list through which the kernel learns what locks a thread holds, so that it can tell the
//! others when the thread dies.
//!
//! A thread has one such list, and the C library has set it up for its own robust mutexes. Ours are put into that
//! same list, in its own way: an entry is two addresses, that of the entry before (for whoever takes an entry out) and that of
//! the one behind (for the kernel), and the word that the kernel looks at stands [`OFFSET`] bytes before the second. That
//! offset is asked of the kernel, and is part of the ABI of `pthread_mutex_t`.

use std::{
    cell::Cell,
    io,
    mem::size_of,
    ptr,
    sync::{
        Once,
        atomic::{AtomicU32, AtomicUsize, Ordering, compiler_fence},
    },
};

/// From an entry's second address to its word, as glibc has it on all 64-bit machines.
pub(super) const OFFSET: isize = -32;

/// The kernel looks at no more entries than 2048 (ROBUST_LIST_LIMIT) of a thread that has died. The locks beyond
/// would be held for ever, so no thread takes so many; some room is left for the C library's own.
pub(super) const MAX_HELD: u32 = 1900;

/// As the kernel has it in `linux/futex.h`.
#[repr(C)]
struct Head {
    list: AtomicUsize,
    futex_offset: isize,
    list_op_pending: AtomicUsize,
}

/// A place in the list. Zero: in none.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Entry {
    previous: AtomicUsize,
    next: AtomicUsize,
}

/// The calling thread, as its locks know it.
#[derive(Debug)]
struct Own {
    /// Zero until asked for, and again in the child of a `fork`.
    tid: Cell<u32>,
    pid: Cell<u32>,
    head: Cell<*const Head>,
    held: Cell<u32>,
}

thread_local! {
    static OWN: Own = const {
        Own { tid: Cell::new(0), pid: Cell::new(0), head: Cell::new(ptr::null()), held: Cell::new(0) }
    };
}

/// The calling thread's number, as it stands in the word of a lock that it holds.
#[inline]
pub(crate) fn tid() -> io::Result<u32> {
    match OWN.with(|own| own.tid.get()) {
        0 => introduce(),
        tid => Ok(tid),
    }
}

/// Whether it is the calling thread's number. False for zero.
#[inline]
pub(super) fn is_own_tid(tid: u32) -> bool {
    tid != 0 && OWN.with(|own| own.tid.get()) == tid
}

/// The calling thread's process; zero if it has never asked for its [`tid`].
#[inline]
pub(crate) fn pid() -> u32 {
    OWN.with(|own| own.pid.get())
}

/// How many entries of ours are in the calling thread's list.
#[inline]
pub(crate) fn held() -> u32 {
    OWN.with(|own| own.held.get())
}

/// In the child of a fork: the thread has another number, and holds nothing.
extern "C" fn forked() {
    OWN.with(|own| own.tid.set(0));
}

#[cold]
fn introduce() -> io::Result<u32> {
    static FORKS: Once = Once::new();
    FORKS.call_once(|| {
        // Where that fails, a thread that forks and goes on in the child takes its locks for its own.
        // SAFETY: the handler touches nothing but a plain thread-local, and this crate is never unloaded.
        let _failed = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });

    let Place { head, length } = Place::of_this_thread()?;
    // SAFETY: null, or the list that the C library has set up for this thread: it is in the thread's own control block.
    let offset = unsafe { head.as_ref() }.filter(|_| length == size_of::<Head>()).map(|head| head.futex_offset);
    if offset != Some(OFFSET) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the C library keeps no list of robust mutexes"));
    }
    // SAFETY: takes nothing, cannot fail.
    let tid = unsafe { libc::gettid() }.cast_unsigned();
    OWN.with(|own| {
        own.head.set(head);
        own.held.set(0);
        own.pid.set(std::process::id());
        own.tid.set(tid);
    });
    Ok(tid)
}

/// Where a thread's list is.
#[derive(Debug)]
pub(super) struct Place {
    head: *const Head,
    length: usize,
}

impl Place {
    pub(super) fn of_this_thread() -> io::Result<Self> {
        let mut place = Self { head: ptr::null(), length: 0 };
        let (head, length) = (&raw mut place.head, &raw mut place.length);
        // SAFETY: both are written for the calling thread (0), and live for the length of the call.
        match unsafe { libc::syscall(libc::SYS_get_robust_list, 0, head, length) } {
            0 => Ok(place),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// In a copy of the process whose thread has this list: tells the kernel of it, as the C library did in the original.
    pub(super) fn register(&self) -> io::Result<()> {
        forked();
        // SAFETY: the list is where it was in the original, in the thread's control block, and as long as it was there.
        match unsafe { libc::syscall(libc::SYS_set_robust_list, self.head, self.length) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn head<'a>() -> &'a Head {
    let head = OWN.with(|own| own.head.get());
    // SAFETY: callers have asked for their `tid` before, so it was found; it lives as long as the thread, and the
    // reference does not leave this file.
    unsafe { &*head }
}

/// Says that somebody who sleeps on `word` is to be woken if this thread dies now; until [`Entry::end`].
#[inline]
pub(super) fn begin(word: &AtomicU32) {
    // As if it were that of an entry, which is all that the kernel computes with.
    let entry = ptr::from_ref(word).addr().wrapping_add_signed(-OFFSET);
    head().list_op_pending.store(entry, Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst);
}

impl Entry {
    /// What the list and the kernel know this entry by.
    fn address(&self) -> usize {
        ptr::from_ref(&self.next).addr()
    }

    /// Says that this entry is about to be put in or taken out: a thread that dies meanwhile is taken to hold the lock if its
    /// number is in the word; if nobody's is, one who sleeps is woken.
    #[inline]
    pub(super) fn begin(&self) {
        head().list_op_pending.store(self.address(), Ordering::Relaxed);
        // For the same thread, which the kernel interrupts anywhere: no other one reads it.
        compiler_fence(Ordering::SeqCst);
    }

    /// It is done.
    #[inline]
    pub(super) fn end() {
        compiler_fence(Ordering::SeqCst);
        head().list_op_pending.store(0, Ordering::Relaxed);
    }

    /// Puts it in, in front.
    #[inline]
    pub(super) fn enter(&self) {
        let head = head();
        let first = head.list.load(Ordering::Relaxed);
        self.next.store(first, Ordering::Relaxed);
        self.previous.store(ptr::from_ref(head).addr(), Ordering::Relaxed);
        // SAFETY: the list holds the addresses of entries that this thread has put in and not taken out, ours and the C
        // library's, all of one layout and none of them unmapped (see `RobustMutex`); or that of the head itself, before
        // which the C library has a field for just this.
        unsafe { previous_of(first).write(self.address()) };
        compiler_fence(Ordering::SeqCst);
        head.list.store(self.address(), Ordering::Relaxed);
        OWN.with(|own| own.held.set(own.held.get() + 1));
    }

    /// Takes it out.
    #[inline]
    pub(super) fn leave(&self) {
        let (previous, next) = (self.previous.load(Ordering::Relaxed), self.next.load(Ordering::Relaxed));
        // SAFETY: as in `enter`: its neighbours are in this thread's list, or are its head.
        unsafe { previous_of(next).write(previous) };
        // SAFETY: as above; what stands at the address by which an entry is known is the address of the next one.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(previous & !1).write(next) };
        compiler_fence(Ordering::SeqCst);
        self.previous.store(0, Ordering::Relaxed);
        self.next.store(0, Ordering::Relaxed);
        OWN.with(|own| own.held.set(own.held.get().saturating_sub(1)));
    }
}

/// Where an entry, or the head, keeps the address of the one before. The lowest bit tells the C library's own kinds apart.
fn previous_of(entry: usize) -> *mut usize {
    ptr::with_exposed_provenance_mut((entry & !1) - size_of::<usize>())
}
