//! The names that this process still owns at its normal end: destructors of statics, and of what was leaked or belongs
//! to other threads, do not run then.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use super::unlink::{Identity, find, unlink};
use crate::sys::{atexit::atexit, shm_open};

static OWNED: Mutex<Option<Owned>> = Mutex::new(None);

struct Owned {
    /// A copy of the process made by `fork` without `exec` owns none of them.
    process: u32,
    names: HashMap<Identity, String>,
}

fn owned() -> MutexGuard<'static, Option<Owned>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `name` is this process's to remove.
pub(super) fn register(identity: Identity, name: &str) {
    static HANDLER: Once = Once::new();
    // Without a handler an exit leaves an orphan, no worse.
    HANDLER.call_once(|| atexit(at_normal_end).unwrap_or_default());
    let process = std::process::id();
    let mut owned = owned();
    if owned.as_ref().is_none_or(|owned| owned.process != process) {
        *owned = Some(Owned { process, names: HashMap::new() });
    }
    if let Some(owned) = owned.as_mut() {
        owned.names.insert(identity, name.to_owned());
    }
}

/// It is not any more.
pub(super) fn forget(identity: Identity) {
    if let Some(owned) = owned().as_mut() {
        owned.names.remove(&identity);
    }
}

extern "C" fn at_normal_end() {
    // A lock that another thread held when this process was forked off is never given free.
    let Ok(mut owned) = OWNED.try_lock() else { return };
    let Some(owned) = owned.take() else { return };
    if owned.process != std::process::id() {
        return;
    }
    for (identity, name) in owned.names {
        // The handle's own descriptor is another thread's, or nobody's; the second lock wants one of its own anyway.
        if let Ok(file) = shm_open::open(&name)
            && find(&name).is_ok_and(|found| found == identity)
        {
            unlink(&file, &name).ok();
        }
    }
}
