//! A child that dies where a test says: with the feature `faults`, `MULTIPROCESS_FAULT=<step>` in a child's
//! environment kills it by SIGKILL when it gets there. Without the feature, nothing.

#[cfg(feature = "faults")]
use std::ffi::CStr;

/// The steps of a child, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Still in the parent's memory.
    BeforeExec,
    /// The new program, before it has looked at anything.
    Hook,
    /// The copy of a fork server, before it has looked at anything.
    Forked,
    /// The preparation has been read; the lifeline is not armed yet.
    Prepared,
    /// All constructors have run.
    Constructed,
    /// The arguments are decoded.
    Decoded,
    /// The function has returned.
    Returned,
    /// The result is encoded.
    Encoded,
    /// The result is on its way.
    Sent,
    /// The exit handlers have run.
    Exiting,
}

impl Step {
    /// Those of a child that is forked, and that its own environment can name.
    #[must_use]
    pub const fn of_forked() -> &'static [Self] {
        match &Self::ALL {
            [Self::BeforeExec, Self::Hook, rest @ ..] => rest,
            all => all,
        }
    }

    /// Every step of a child that is spawned.
    pub const ALL: [Self; 9] = [
        Self::BeforeExec,
        Self::Hook,
        Self::Prepared,
        Self::Constructed,
        Self::Decoded,
        Self::Returned,
        Self::Encoded,
        Self::Sent,
        Self::Exiting,
    ];

    /// What to write into `MULTIPROCESS_FAULT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeExec => "before-exec",
            Self::Hook => "hook",
            Self::Forked => "forked",
            Self::Prepared => "prepared",
            Self::Constructed => "constructed",
            Self::Decoded => "decoded",
            Self::Returned => "returned",
            Self::Encoded => "encoded",
            Self::Sent => "sent",
            Self::Exiting => "exiting",
        }
    }
}

#[cfg(feature = "faults")]
pub(crate) fn point(step: Step) {
    if std::env::var_os("MULTIPROCESS_FAULT").is_some_and(|wanted| wanted == step.name()) {
        die();
    }
}

#[cfg(not(feature = "faults"))]
pub(crate) fn point(_step: Step) {}

/// A step of a fork server, which has its environment from its parent.
#[cfg(feature = "faults")]
pub(crate) fn point_of_server(step: &str) {
    if std::env::var_os("MULTIPROCESS_FAULT").is_some_and(|wanted| wanted == step) {
        die();
    }
}

#[cfg(not(feature = "faults"))]
pub(crate) fn point_of_server(_step: &str) {}

/// The start method of a program that says nothing else: `MULTIPROCESS_START_METHOD`, so that all tests can be run by each.
#[cfg(feature = "faults")]
pub(crate) fn start_method<T: std::str::FromStr>() -> Option<T> {
    std::env::var("MULTIPROCESS_START_METHOD").ok()?.parse().ok()
}

#[cfg(not(feature = "faults"))]
pub(crate) fn start_method<T>() -> Option<T> {
    None
}

/// A step of something that is not a child's life.
#[cfg(feature = "faults")]
pub(crate) fn point_named(step: &str) {
    // Some of these are passed a million times a second.
    static WANTED: std::sync::OnceLock<Option<std::ffi::OsString>> = std::sync::OnceLock::new();
    if WANTED.get_or_init(|| std::env::var_os("MULTIPROCESS_FAULT")).as_ref().is_some_and(|wanted| wanted == step) {
        die();
    }
}

#[cfg(not(feature = "faults"))]
#[inline]
pub(crate) fn point_named(_step: &str) {}

/// The point before `exec`, where nothing may be locked or allocated: the new environment says what is wanted.
#[cfg(feature = "faults")]
pub(crate) fn point_before_exec(environment: &[&CStr]) {
    if environment.contains(&c"MULTIPROCESS_FAULT=before-exec") {
        die();
    }
}

/// The point after all exit functions: registered first, it runs last.
#[cfg(feature = "faults")]
pub(crate) fn at_exit() {
    extern "C" fn exiting() {
        point(Step::Exiting);
    }
    crate::sys::atexit::atexit(exiting).ok();
}

#[cfg(feature = "faults")]
fn die() {
    nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL).ok();
}
