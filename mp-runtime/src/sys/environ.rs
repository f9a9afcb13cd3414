//! `environ(7)`.

use std::{
    ffi::{OsStr, OsString, c_char},
    ptr,
};

use super::clone3::Forked;

/// Takes a variable out of this process's environment. Only for the time before `main`.
pub(crate) fn take_before_main(name: &OsStr) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: before `main` there is one thread, so nobody else can be reading the environment.
    unsafe { std::env::remove_var(name) };
    Some(value)
}

/// Makes `block`, variables that end in a NUL byte each, the environment of this process. They stay in memory for good.
pub(crate) fn replace(_forked: &Forked, block: Vec<u8>) {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    let block = block.leak();
    let variables = block.split_inclusive_mut(|&byte| byte == 0).filter(|variable| variable.ends_with(&[0]));
    let pointers: Vec<*mut c_char> =
        variables.map(|variable| variable.as_mut_ptr().cast()).chain([ptr::null_mut()]).collect();
    // SAFETY: there is no other thread in a copy that has not begun any, so nobody reads the environment meanwhile; what it is from here
    // on are NUL-terminated strings and a null pointer behind them, which are never freed.
    unsafe { environ = pointers.leak().as_mut_ptr() };
}
