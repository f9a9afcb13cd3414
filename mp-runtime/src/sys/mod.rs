//! The kernel: one file per facility, named after its man page. Every `unsafe` of this crate that is
//! not a mapping's is here, and nothing here knows of processes, values or messages.
//!
//! Functions return `io::Result`; a descriptor is an `OwnedFd` before the next call that can fail.
#![expect(unsafe_code, reason = "this layer is where the kernel is spoken to")]

#[cfg(feature = "tokio")]
pub(crate) mod async_fd;
pub(crate) mod atexit;
#[cfg_attr(loom, path = "loom/atomic.rs")]
pub(crate) mod atomic;
pub(crate) mod clock_gettime;
pub(crate) mod clone;
pub(crate) mod clone3;
pub(crate) mod credentials;
pub(crate) mod dup2;
pub(crate) mod environ;
pub(crate) mod epoll;
mod errno;
pub(crate) mod eventfd;
pub(crate) mod exit;
pub(crate) mod fallocate;
pub(crate) mod fcntl;
pub(crate) mod fcntl_locking;
pub(crate) mod fflush;
#[cfg_attr(loom, path = "loom/futex.rs")]
pub(crate) mod futex;
pub(crate) mod getauxval;
pub(crate) mod getrandom;
pub(crate) mod getrlimit;
pub(crate) mod init_array;
pub(crate) mod madvise;
pub(crate) mod maps;
pub(crate) mod memfd;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod pthread_key;
pub(crate) mod recvmsg;
#[cfg_attr(loom, path = "loom/robust_list.rs")]
pub(crate) mod robust_list;
pub(crate) mod robust_mutex;
pub(crate) mod sched_getaffinity;
pub(crate) mod shm_open;
pub(crate) mod sigaltstack;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod statx;
pub(crate) mod sysconf;
pub(crate) mod task;
pub(crate) mod waitid;
pub(crate) mod xattr;
