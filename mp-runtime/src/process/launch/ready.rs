//! Whether this program can start itself at all: asked once, before the first start.

use std::sync::OnceLock;

use super::spawn::MARK;
use crate::{
    error::{Error, Result},
    process::{current::current, exit, registry},
    sys::{
        self,
        init_array::{self, Constructor},
    },
};

/// A target that starts itself without end must meet a limit before it meets the machine's.
const MAX_DEPTH: u32 = 64;

static HOOK: OnceLock<Constructor> = OnceLock::new();

/// Notes that the hook ran, in a process that is nobody's child.
pub(crate) fn hook_ran(hook: Constructor) {
    HOOK.set(hook).ok();
}

/// # Errors
///
/// A child of this program would not be recognised as one, and would start the whole program again; or it
/// would not know what to run.
pub(in crate::process) fn check() -> Result<()> {
    // A refusal may pass: constructors may ask before the hook has run.
    static READY: OnceLock<()> = OnceLock::new();
    if READY.get().is_none() {
        check_program()?;
        READY.set(()).ok();
    }
    let depth = current().depth();
    if depth >= MAX_DEPTH {
        return Err(Error::invalid(format!(
            "this process is {depth} processes below the first one; does a target start itself without end?"
        )));
    }
    exit::register()
}

/// # Errors
///
/// `/proc/self/exe` is not this program.
pub(super) fn check_own_executable() -> Result<()> {
    static BY_LOADER: OnceLock<bool> = OnceLock::new();
    if *BY_LOADER.get_or_init(init_array::is_run_by_explicit_loader) {
        return Err(Error::unsupported(
            "this program was started through the dynamic loader (`ld-linux.so program`), so /proc/self/exe is the loader, \
             which would take this program's first argument for the program to run; start it directly, or use `set_executable`",
        ));
    }
    Ok(())
}

fn check_program() -> Result<()> {
    let in_child = current().depth() > 0;
    if std::env::var_os(MARK).is_some() {
        return Err(Error::unsupported(format!(
            "this process was started as a child (`{MARK}` is set), but nothing took it before `main`; \
             it must not start children of its own"
        )));
    }
    let hooked = in_child || HOOK.get().is_some_and(|&hook| init_array::is_of_main_program(hook));
    if sys::getauxval::is_secure() {
        return Err(Error::unsupported(
            "this program has more rights than whoever started it (setuid, setgid or file capabilities), and so would a \
             child of it: it must not obey its environment, which is what makes it a child",
        ));
    }
    if !hooked {
        return Err(Error::unsupported(
            "the hook that takes children before `main` is not part of the main program, so a child would be a second \
             copy of it; link `multiprocess` into the program itself, not only into a library that it loads",
        ));
    }
    registry::check_names()
}
