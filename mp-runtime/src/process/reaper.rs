//! The thread that collects children whose handle is gone, so that none of them stays a zombie.
//!
//! It runs only while there are such children. Both its list and whether it runs are under one lock: it
//! leaves only after it has seen the list empty and, under the same lock, said that it is gone, so a child
//! is always either seen by the running thread (a byte on the pipe wakes it) or starts a new one.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    unistd::{pipe2, read, write},
};

use super::child::Child;
use crate::sys::{
    fcntl::above_stdio,
    poll::{self, Deadline},
    signal,
};

struct Reaper {
    adopted: Vec<Arc<Child>>,
    /// Wakes the thread; `None` while none runs.
    wake: Option<OwnedFd>,
}

static REAPER: Mutex<Reaper> = Mutex::new(Reaper { adopted: Vec::new(), wake: None });

fn reaper() -> MutexGuard<'static, Reaper> {
    REAPER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that this child leaves no zombie when it ends.
pub(super) fn adopt(child: Arc<Child>) {
    if !is_running(&child) {
        return;
    }
    let mut reaper = reaper();
    if reaper.adopted.iter().any(|other| Arc::ptr_eq(other, &child)) {
        return;
    }
    reaper.adopted.push(child);
    match &reaper.wake {
        // A full pipe has enough bytes in it to wake the thread.
        Some(wake) => drop(write(wake, &[0])),
        // Without a descriptor or a thread to be had, the child is left to the sweep of a later start.
        None => reaper.wake = start().ok(),
    }
}

fn start() -> io::Result<OwnedFd> {
    let (woken, wake) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // A closed standard stream of this program's is not to become the reaper's pipe.
    let (woken, wake) = (above_stdio(woken)?, above_stdio(wake)?);
    // The program's signal handlers are not to run on a thread that it does not know.
    let _blocked = signal::block_all()?;
    thread::Builder::new().name("mp-reaper".to_owned()).spawn(move || run(&woken))?;
    Ok(wake)
}

fn run(woken: &OwnedFd) {
    // Whatever happens to this thread, the next child gets one.
    struct Gone;
    impl Drop for Gone {
        fn drop(&mut self) {
            if thread::panicking() {
                reaper().wake = None;
            }
        }
    }
    let _gone = Gone;
    loop {
        let adopted = {
            let mut reaper = reaper();
            reaper.adopted.retain(|child| is_running(child));
            if reaper.adopted.is_empty() {
                reaper.wake = None;
                return;
            }
            reaper.adopted.clone()
        };
        let mut fds: Vec<BorrowedFd<'_>> = vec![woken.as_fd()];
        fds.extend(adopted.iter().map(|child| child.as_fd()));
        match poll::any_readable(&fds, Deadline::NEVER) {
            Ok(Some(0)) => drop(read(woken, &mut [0; 64])),
            Ok(_) => {}
            // More descriptors than RLIMIT_NOFILE, lowered since, lets poll look at; or no memory.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// A child that cannot be waited for is none of the reaper's business any more.
fn is_running(child: &Child) -> bool {
    matches!(child.wait(Deadline::after(Duration::ZERO)), Ok(None))
}
