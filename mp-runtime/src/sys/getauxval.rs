//! `getauxval(3)`: what the kernel told this program about itself.

/// Whether this is a setuid, setgid or otherwise privileged start, whose environment is not to be trusted.
pub(crate) fn is_secure() -> bool {
    // SAFETY: takes an integer, returns an integer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The size of a page, which is what mappings are made of.
pub(crate) fn page_size() -> usize {
    // SAFETY: takes an integer, returns an integer.
    let size = unsafe { libc::getauxval(libc::AT_PAGESZ) } as usize;
    // Every kernel says it.
    size.max(4096)
}
