//! A library that a program loads at run time; it brings the runtime with it.

use std::ffi::{CString, c_char};

use multiprocess as mp;

#[mp::process_target]
fn double(x: u64) -> u64 {
    2 * x
}

/// Tries to start a process, and says how it went.
#[unsafe(no_mangle)]
pub extern "C" fn report() -> *const c_char {
    let text = match mp::spawn(double, (21,)) {
        Ok(child) => format!("value {:?}", child.join()),
        Err(error) => format!("unsupported {}: {error}", error.is_unsupported()),
    };
    CString::new(text).unwrap_or_default().into_raw()
}
