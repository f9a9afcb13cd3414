//! The normal end of this process, in Python's order: its own exit functions, SIGTERM to its daemons, then a
//! wait for all its children.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::libc;

use super::{child::Child, children, launch};
use crate::{
    error::{Error, Result},
    sys::{atexit::atexit, poll::Deadline},
};

/// How long a daemon may take to end after SIGTERM, before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

type Function = Box<dyn FnOnce() + Send>;

static FUNCTIONS: Mutex<Vec<Function>> = Mutex::new(Vec::new());

/// Has `function` called at the normal end of this process: when `main` returns, when a child's target has
/// returned or panicked, and on [`std::process::exit`]; not when a signal ends it.
///
/// The last one registered runs first; all run before daemons are terminated and the other children waited
/// for. A panic in one is reported on stderr and does not keep the others from running; a call of
/// `process::exit` in one aborts the process, as everywhere inside an exit. Children do not inherit them.
/// Destructors of statics and of other threads' values do not run at an exit, in Rust.
///
/// # Errors
///
/// The system's, if it has no memory for another exit handler.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn tidy() {
///     mp::at_exit(|| println!("tidied")).unwrap();
/// }
///
/// # fn main() -> mp::Result<()> {
/// mp::spawn(tidy, ())?.join()?;
/// # Ok(())
/// # }
/// ```
pub fn at_exit(function: impl FnOnce() + Send + 'static) -> Result<()> {
    register()?;
    FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(function));
    Ok(())
}

/// Before the process is copied, without the C library's knowing of it: what was registered is not the copies'. They register themselves anew.
pub(super) fn forget_all() {
    let functions = std::mem::take(&mut *FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner));
    // What they hold, too.
    std::mem::forget(functions);
    *REGISTERED_BY.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Makes sure that this process's normal end is seen.
pub(super) fn register() -> Result<()> {
    let mut registered = REGISTERED_BY.lock().unwrap_or_else(PoisonError::into_inner);
    if registered.is_none() {
        atexit(at_normal_end).map_err(|error| Error::os("register an exit handler", error))?;
        *registered = Some(std::process::id());
    }
    Ok(())
}

/// The process that registered the handler. A copy of it made by `fork` without `exec` ends here too, and
/// must leave its parent's children alone.
static REGISTERED_BY: Mutex<Option<u32>> = Mutex::new(None);

extern "C" fn at_normal_end() {
    if *REGISTERED_BY.lock().unwrap_or_else(PoisonError::into_inner) != Some(std::process::id()) {
        return;
    }
    loop {
        let function = FUNCTIONS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(function) = function else { break };
        // The panic hook has reported it.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(function)) {
            // Its destructor may panic too.
            std::mem::forget(payload);
        }
    }
    let (daemons, others): (Vec<_>, Vec<_>) = children::active().into_iter().partition(|child| child.is_daemon());
    for daemon in &daemons {
        daemon.signal(libc::SIGTERM).ok();
    }
    for child in &others {
        child.wait(Deadline::NEVER).ok();
    }
    end_daemons(&daemons);
    launch::end_servers();
}

fn end_daemons(daemons: &[Arc<Child>]) {
    let deadline = Instant::now() + GRACE;
    for daemon in daemons {
        let rest = deadline.saturating_duration_since(Instant::now());
        if matches!(daemon.wait(Deadline::after(rest)), Ok(None)) {
            daemon.signal(libc::SIGKILL).ok();
            daemon.wait(Deadline::NEVER).ok();
        }
    }
}
