//! Masks and dispositions: `pthread_sigmask(3)`, `sigaction(2)`.

use std::io;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction};

/// Blocks every signal in this thread until the guard is dropped.
pub(crate) fn block_all() -> io::Result<Blocked> {
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    Ok(Blocked(before))
}

/// Restores the thread's mask when dropped.
pub(crate) struct Blocked(SigSet);

impl Drop for Blocked {
    fn drop(&mut self) {
        // It restores a mask that the kernel itself gave us: there is nothing that can be wrong with it.
        let _restored = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}

/// What a child starts with: no signal blocked, SIGPIPE ignored (as std does before `main`), SIGCHLD at
/// its default, because a disposition "ignored" is inherited and would lose the child's own children's statuses.
pub(crate) fn reset_for_child() -> io::Result<()> {
    set_for_child()?;
    unblock_all()
}

/// The same for one that leaves Ctrl-C to its parent, and to copies of itself: it is blocked, so that it is not lost to one that has not come to
/// [`unblock_all`].
pub(crate) fn reset_for_server() -> io::Result<()> {
    set_for_child()?;
    Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::from(Signal::SIGINT)), None)?)
}

fn set_for_child() -> io::Result<()> {
    set(Signal::SIGPIPE, SigHandler::SigIgn)?;
    set(Signal::SIGCHLD, SigHandler::SigDfl)
}

/// Leaves Ctrl-C to the parent.
pub(crate) fn ignore_interrupt() -> io::Result<()> {
    set(Signal::SIGINT, SigHandler::SigIgn)
}

/// Takes all signals that come, and those that have come.
pub(crate) fn unblock_all() -> io::Result<()> {
    Ok(pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?)
}

fn set(signal: Signal, handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither handler is a function, so there is none that could do what a signal handler must not.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}
