//! Calls into the C library.

use std::{
    ffi::{CStr, CString, OsString, c_char, c_int, c_ulong, c_void},
    io,
    os::unix::ffi::OsStringExt,
    ptr,
};

unsafe extern "C" {
    fn dlopen(file: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn getauxval(kind: c_ulong) -> c_ulong;
    fn setuid(user: u32) -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
}

const RTLD_NOW: c_int = 2;
const AT_SECURE: c_ulong = 23;
const WNOHANG: c_int = 1;

pub fn is_secure() -> bool {
    unsafe { getauxval(AT_SECURE) != 0 }
}

/// Gives up what root may do.
pub fn become_user(user: u32) -> io::Result<()> {
    if unsafe { setuid(user) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether there is a child, running or not, that nobody has waited for.
pub fn has_children() -> bool {
    unsafe { waitpid(-1, ptr::null_mut(), WNOHANG) != -1 }
}

/// Loads a plugin that has a runtime of its own, and lets it try; then does the same itself.
pub fn visit(plugin: OsString) -> super::Result {
    let path = CString::new(plugin.into_vec())?;
    let library = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
    let report = unsafe { dlsym(library, c"report".as_ptr()) };
    if report.is_null() {
        return Err("the plugin has no report".into());
    }
    let report = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> *const c_char>(report) };
    println!("plugin {}", unsafe { CStr::from_ptr(report()) }.to_str()?);
    super::start()
}
