//! The program's own code before `main`.

use std::{
    env,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use multiprocess as mp;

/// What a constructor knows of itself.
struct Constructor {
    runs: AtomicU32,
    /// In a child: whether the library's hook had not run yet, which takes the variable away.
    before_hook: OnceLock<bool>,
}

impl Constructor {
    const fn new() -> Self {
        Self { runs: AtomicU32::new(0), before_hook: OnceLock::new() }
    }

    fn note(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.before_hook.set(env::var_os("MULTIPROCESS_CHILD").is_some()).ok();
    }

    fn seen(&self) -> String {
        let place = if self.before_hook.get() == Some(&true) { "before" } else { "after" };
        format!("{}x {place}", self.runs.load(Ordering::Relaxed))
    }
}

static EARLY: Constructor = Constructor::new();
static PLAIN: Constructor = Constructor::new();
static GREETING: OnceLock<String> = OnceLock::new();

extern "C" fn early() {
    EARLY.note();
}

extern "C" fn plain() {
    PLAIN.note();
    GREETING.set("hello from a constructor".to_owned()).ok();
}

/// Does nothing: the test puts it in the place of the library's hook.
#[unsafe(no_mangle)]
extern "C" fn link_test_idle() {}

// Linkers sort those with a number before those without.
#[used]
#[unsafe(link_section = ".init_array.00200")]
static RUN_EARLY: extern "C" fn() = early;
#[used]
#[unsafe(link_section = ".init_array")]
static RUN_PLAIN: extern "C" fn() = plain;
#[used]
#[unsafe(link_section = ".init_array")]
static RUN_IDLE: extern "C" fn() = link_test_idle;

#[mp::process_target]
pub fn greeting() -> String {
    GREETING.get().cloned().unwrap_or_default()
}

#[mp::process_target]
pub fn seen() -> String {
    format!("early {}, plain {}", EARLY.seen(), PLAIN.seen())
}
