//! Was it the kernel that killed for want of memory?
//!
//! A SIGKILL does not say who sent it. The kernel counts its out-of-memory kills, per cgroup in
//! `memory.events` (version 2) and for the whole system in `/proc/vmstat`. A child that ended by a SIGKILL
//! that this library did not send, while that count rose, is taken to be one of them.

use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// A start looks at the count only if the last look is older: reading it costs as much as a twentieth of a start.
const FRESH: Duration = Duration::from_secs(1);

static LAST_LOOK: Mutex<Option<(Instant, u64)>> = Mutex::new(None);

/// The count at about this time, for a child that is being started.
pub(super) fn baseline() -> u64 {
    let mut last = LAST_LOOK.lock().unwrap_or_else(PoisonError::into_inner);
    match *last {
        Some((when, count)) if when.elapsed() < FRESH => count,
        _ => {
            let count = count();
            *last = Some((Instant::now(), count));
            count
        }
    }
}

/// Whether the count has risen since.
pub(super) fn risen_since(baseline: u64) -> bool {
    count() > baseline
}

fn count() -> u64 {
    let (file, key) = source();
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(*key)?.strip_prefix(' ')?.trim().parse().ok()).unwrap_or_default()
}

fn source() -> &'static (PathBuf, &'static str) {
    static SOURCE: OnceLock<(PathBuf, &str)> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let events = PathBuf::from("/sys/fs/cgroup").join(own).join("memory.events");
        if events.exists() { (events, "oom_kill") } else { (PathBuf::from("/proc/vmstat"), "oom_kill") }
    })
}
