//! The lifeline: how a child learns that its parent has ended, in whatever way.
//!
//! Every process that starts children has one pipe, into which nothing is ever written. It alone holds the
//! write end; each child holds a read end. When the process ends the kernel closes the write end, and the
//! read ends hang up: children that asked for it get their signal from the kernel at that moment, with no
//! thread and no polling, and each of them is the lifeline of its own children in turn.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use nix::{fcntl::OFlag, unistd::pipe2};
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    sys::{
        fcntl::{above_stdio, effective_user, reopen, signal_on_hangup},
        poll::{self, Deadline},
    },
};

/// What happens to a child when its parent ends without having waited for it, for instance by SIGKILL.
///
/// After a normal end nothing is left to happen: daemons have been terminated and the others waited for.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn serve() {}
///
/// # fn main() -> mp::Result<()> {
/// let child = mp::Process::new(serve, ()).on_parent_death(mp::OnParentDeath::Terminate).start()?;
/// child.join()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OnParentDeath {
    /// The kernel sends it SIGKILL.
    #[default]
    Kill,
    /// The kernel sends it SIGTERM, which it may handle.
    Terminate,
    /// It goes on. It can ask [`ParentProcess::is_alive`](crate::ParentProcess::is_alive).
    Continue,
}

#[derive(Debug)]
struct Lifeline {
    /// Whose end it tells of.
    process: u32,
    /// Whose pipe it is: no other user can open it anew.
    user: u32,
    read: OwnedFd,
    /// Held, never used: its closing is the message.
    write: Mutex<Option<OwnedFd>>,
}

static LIFELINE: Mutex<Option<&'static Lifeline>> = Mutex::new(None);

/// The end for the next child: opened anew, because whom the kernel signals, and how, belongs to the open file
/// description, which must therefore be that child's alone. The parent does it: in its own /proc directory, which
/// the kernel has at hand, this takes a fifth of what it takes in a new process.
pub(super) fn for_child() -> Result<OwnedFd> {
    reopen(read_end()?)
        .and_then(above_stdio)
        .map_err(|error| Error::os("open the lifeline of a child through /proc/self/fd", error))
}

fn read_end() -> Result<BorrowedFd<'static>> {
    let mut lifeline = LIFELINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (process, user) = (std::process::id(), effective_user());
    match *lifeline {
        Some(lifeline) if lifeline.process == process && lifeline.user == user => Ok(lifeline.read.as_fd()),
        // There is none yet; or this is a copy made by `fork`, and the one there tells of the original's end too;
        // or this process has changed its user.
        _ => {
            let new: &'static Lifeline = Box::leak(Box::new(Lifeline::new(process, user)?));
            Ok(lifeline.insert(new).read.as_fd())
        }
    }
}

/// In a copy of a process that has started some: they hang on that one alone.
pub(super) fn forget_own() {
    if let Some(lifeline) = LIFELINE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        lifeline.write.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Lifeline {
    fn new(process: u32, user: u32) -> Result<Self> {
        let doing = |error| Error::os("make the pipe that tells children of this process's end", error);
        let (read, write) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| doing(errno.into()))?;
        Ok(Self {
            process,
            user,
            read: above_stdio(read).map_err(doing)?,
            write: Mutex::new(Some(above_stdio(write).map_err(doing)?)),
        })
    }
}

/// The end of a process that has one, opened anew for another child of the same parent.
pub(super) fn reopened(own: &OwnedFd) -> Result<OwnedFd> {
    reopen(own).map_err(|error| Error::os("open the lifeline of a child through /proc/self/fd", error))
}

/// In a child: arms its end, which hangs up when the parent ends. Returns whether that has happened already.
pub(super) fn hold(own: &OwnedFd, on_parent_death: OnParentDeath) -> Result<bool> {
    let doing = |error| Error::os("watch the parent", error);
    let signal = match on_parent_death {
        OnParentDeath::Kill => Some(nix::libc::SIGKILL),
        OnParentDeath::Terminate => Some(nix::libc::SIGTERM),
        OnParentDeath::Continue => None,
    };
    signal_on_hangup(own, signal).map_err(doing)?;
    // The parent may have ended before the signal was armed.
    poll::readable(own, Deadline::NOW).map_err(doing)
}
