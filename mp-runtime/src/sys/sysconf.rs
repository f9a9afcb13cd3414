//! `sysconf(3)`: what the machine has.

/// The bytes of physical memory; zero where the system does not say.
pub(crate) fn physical_memory() -> usize {
    ask(libc::_SC_PHYS_PAGES).saturating_mul(ask(libc::_SC_PAGESIZE))
}

/// How many ticks of `proc_pid_stat(5)` make a second.
pub(crate) fn clock_ticks() -> u32 {
    u32::try_from(ask(libc::_SC_CLK_TCK)).unwrap_or(0).max(1)
}

fn ask(name: libc::c_int) -> usize {
    // SAFETY: a question with a number for an answer.
    usize::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}
