//! `getauxval(3)`: what the kernel told this program about itself.

/// Whether this is a setuid, setgid or otherwise privileged start, whose environment is not to be trusted.
pub(crate) fn is_secure() -> bool {
    // SAFETY: takes an integer, returns an integer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
