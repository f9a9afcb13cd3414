//! `environ(7)`.

use std::ffi::{OsStr, OsString};

/// Takes a variable out of this process's environment. Only for the time before `main`.
pub(crate) fn take_before_main(name: &OsStr) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: before `main` there is one thread, so nobody else can be reading the environment.
    unsafe { std::env::remove_var(name) };
    Some(value)
}
