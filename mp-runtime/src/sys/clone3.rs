//! `clone3(2)`: a copy of this process that is a child of this process's *parent*.
//!
//! The C library's `fork` would do more than the copy: it puts locks in order that other threads hold, of which there are
//! none here, and it tells the new thread who it is. That is what [`Forker`] does instead:
//!
//! - The C library keeps the number of each thread, and compares it with the words of robust mutexes. The kernel writes the new one there, and
//!   clears it at the thread's end, if it is told the address (`CLONE_CHILD_SETTID`, `CLONE_CHILD_CLEARTID`), which it knows itself
//!   (`PR_GET_TID_ADDRESS`).
//! - A new process has no list of robust mutexes until it says where that is (`set_robust_list(2)`).
//!
//! Without either, a lock that the child holds when it dies is never given to anyone.

use std::{
    io,
    marker::PhantomData,
    mem::size_of,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{exit::exit_now, fcntl, robust_list, task::Alone};

/// What a fork needs to know of the calling thread.
#[derive(Debug)]
pub(crate) struct Forker {
    /// Where the C library keeps its number.
    tid: *mut libc::c_int,
    /// Its list of robust mutexes.
    robust: robust_list::Place,
}

/// Which process it is that goes on.
#[derive(Debug)]
pub(crate) enum Side {
    /// The copy.
    Child(Forked),
    /// The one that was copied.
    Original { pid: u32, pidfd: OwnedFd },
}

/// The calling thread is the first one of a copy, and has not begun any other.
#[derive(Debug)]
pub(crate) struct Forked(PhantomData<*const ()>);

impl Forker {
    /// # Errors
    ///
    /// The kernel lacks what is named, or something forbids it.
    pub(crate) fn new() -> Result<Self, (&'static str, io::Error)> {
        is_allowed().map_err(|error| ("clone3", error))?;
        let mut tid: *mut libc::c_int = ptr::null_mut();
        // SAFETY: the address is written to a pointer that lives for the length of the call; the rest are integers.
        let failed = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut tid, 0, 0, 0) };
        if failed != 0 {
            return Err(("prctl(PR_GET_TID_ADDRESS)", io::Error::last_os_error()));
        }
        let known = ptr::NonNull::new(tid).map(|tid| {
            // SAFETY: it is where this thread's number stands, or the C library would not have told the kernel.
            unsafe { tid.read() }
        });
        if known != Some(nix::unistd::gettid().as_raw()) {
            return Err(("the C library's record of its thread", io::ErrorKind::Unsupported.into()));
        }
        let robust = robust_list::Place::of_this_thread().map_err(|error| ("get_robust_list", error))?;
        Ok(Self { tid, robust })
    }

    /// Copies this process. Before the child runs its [number stands in `known`](pid_in), so that whoever shares that word knows
    /// of it even if this process is killed on its way out of the call.
    ///
    /// The child has this process's exit signal.
    pub(crate) fn fork(&self, _alone: Alone, known: &AtomicU64) -> io::Result<Side> {
        let mut pidfd: RawFd = -1;
        let arguments = libc::clone_args {
            flags: FLAGS.cast_unsigned().into(),
            pidfd: (&raw mut pidfd).expose_provenance() as u64,
            child_tid: self.tid.expose_provenance() as u64,
            parent_tid: known.as_ptr().expose_provenance() as u64,
            // The parent's; anything else is EINVAL together with CLONE_PARENT.
            exit_signal: 0,
            stack: 0,
            stack_size: 0,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: 0,
        };
        known.store(0, Relaxed);
        // SAFETY: the struct is of that size, and the addresses in it are of live memory of the types that the kernel writes: an int on
        // this stack, this thread's number in the C library, half of a word that is borrowed. Memory is copied, not shared, so the child has a
        // stack of its own. There is no other thread (`_alone`), so nothing in that copy is half changed, and no lock in it is held by
        // one who is not there.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
        match u32::try_from(pid) {
            Err(_) => Err(io::Error::last_os_error()),
            Ok(0) => {
                // There must not be two who go on as the original.
                if self.robust.register().is_err() {
                    exit_now(1);
                }
                Ok(Side::Child(Forked(PhantomData)))
            }
            Ok(pid) => {
                // SAFETY: the kernel has just made this descriptor for us.
                let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
                let pidfd = if pidfd.as_raw_fd() > 2 { pidfd } else { fcntl::duplicate(&pidfd).unwrap_or(pidfd) };
                Ok(Side::Original { pid, pidfd })
            }
        }
    }
}

/// Whose number a fork has written; zero if nobody's, and nothing else was stored there.
pub(crate) fn pid_in(known: &AtomicU64) -> u32 {
    let [a, b, c, d, ..] = known.load(Relaxed).to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

const FLAGS: libc::c_int = libc::CLONE_PARENT
    | libc::CLONE_PIDFD
    | libc::CLONE_CHILD_SETTID
    | libc::CLONE_CHILD_CLEARTID
    | libc::CLONE_PARENT_SETTID;

/// From the kernel's `prctl.h`; part of kernels that can save processes (CONFIG_CHECKPOINT_RESTORE).
const PR_GET_TID_ADDRESS: libc::c_int = 40;

/// Asks for something impossible: a call that exists and is allowed says that it is.
fn is_allowed() -> io::Result<()> {
    // SAFETY: a struct of no size is EINVAL before anything is read.
    unsafe { libc::syscall(libc::SYS_clone3, ptr::null::<libc::clone_args>(), 0_usize) };
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        error => Err(error),
    }
}
