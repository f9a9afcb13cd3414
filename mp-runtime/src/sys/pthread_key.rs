//! `pthread_key_create(3)`: to be told that a thread ends, after all of its thread-locals are gone; not that the process does.

use std::{cell::Cell, ffi::c_void, io, sync::OnceLock};

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// What the thread has lent to others, which its end would take back.
    static LENT: Cell<u32> = const { Cell::new(0) };
}

/// From here on the calling thread aborts the process if it ends while it has [lent](lend) something.
#[inline]
pub(crate) fn watch() -> io::Result<()> {
    if WATCHED.get() { Ok(()) } else { watch_for_the_first_time() }
}

#[cold]
fn watch_for_the_first_time() -> io::Result<()> {
    static KEY: OnceLock<Result<libc::pthread_key_t, i32>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key is written for the length of the call; the function is never unloaded, as this crate is not.
        match unsafe { libc::pthread_key_create(&raw mut key, Some(ended)) } {
            0 => Ok(key),
            errno => Err(errno),
        }
    });
    let key = key.map_err(io::Error::from_raw_os_error)?;
    // SAFETY: a key that was created above and is never deleted; the value is never looked at, only not null.
    match unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) } {
        0 => WATCHED.set(true),
        errno => return Err(io::Error::from_raw_os_error(errno)),
    }
    Ok(())
}

/// The thread has lent something more.
#[inline]
pub(crate) fn lend() {
    LENT.set(LENT.get().saturating_add(1));
}

/// It has come back.
#[inline]
pub(crate) fn come_back() {
    LENT.set(LENT.get().saturating_sub(1));
}

extern "C" fn ended(_value: *mut c_void) {
    if LENT.get() > 0 {
        eprintln!("a thread ended with the guard of an array leaked: its elements would be lent a second time");
        std::process::abort();
    }
}
