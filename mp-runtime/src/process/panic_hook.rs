//! A panic in a child: printed there as one write that says which process it was, and kept for the parent.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::RefCell,
    env,
    io::Write,
    os::fd::OwnedFd,
    panic::{self, PanicHookInfo},
    thread,
};

use super::{
    current_process,
    outcome::{self, kind},
};
use crate::error::Panic;

thread_local! {
    /// The latest panic of this thread.
    static LATEST: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// A panic whose backtrace is not text yet: to find the names of its functions takes a thousand times as long
/// as to record it, and a panic that the target catches needs none.
struct Seen {
    panic: Panic,
    backtrace: Option<Backtrace>,
}

impl Seen {
    fn resolved(&self) -> Panic {
        Panic { backtrace: self.backtrace.as_ref().map(|backtrace| trim(&backtrace.to_string())), ..self.panic.clone() }
    }
}

/// What `RUST_BACKTRACE` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Set to `0`: no backtrace at all.
    Nowhere,
    /// Not set: the parent gets one, stderr does not show it.
    InTheError,
    Everywhere,
}

/// Replaces std's hook, for all threads of this process.
pub(super) fn install(control: &'static OwnedFd) {
    panic::set_hook(Box::new(move |info| {
        let (wanted, seen) = (wanted(), describe(info));
        let resolved =
            if wanted == Wanted::Everywhere || cfg!(panic = "abort") { seen.resolved() } else { seen.panic.clone() };
        print(&resolved, wanted);
        if cfg!(panic = "abort") {
            // There is no unwinding that would bring it to whoever called the target.
            outcome::tell(control, kind::PANICKED, &resolved).ok();
        }
        // A thread that is ending may have no such slot any more.
        LATEST.try_with(|latest| latest.replace(Some(seen))).ok();
    }));
}

/// The panic that unwound with this payload.
pub(crate) fn take(payload: &(dyn Any + Send)) -> Panic {
    let message = message(payload);
    match LATEST.take() {
        Some(seen) if seen.panic.message == message => seen.resolved(),
        // The target has replaced the hook, or resumed a panic of another thread.
        _ => Panic { message, location: None, thread: None, backtrace: None },
    }
}

fn wanted() -> Wanted {
    match env::var_os("RUST_BACKTRACE") {
        None => Wanted::InTheError,
        Some(value) if value == "0" => Wanted::Nowhere,
        Some(_) => Wanted::Everywhere,
    }
}

fn describe(info: &PanicHookInfo<'_>) -> Seen {
    let panic = Panic {
        message: message(info.payload()),
        location: info.location().map(|at| (at.file().to_owned(), at.line(), at.column())),
        thread: thread::current().name().map(str::to_owned),
        backtrace: None,
    };
    Seen { panic, backtrace: (wanted() != Wanted::Nowhere).then(Backtrace::force_capture) }
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a payload that is no text".to_owned(),
    }
}

fn print(panic: &Panic, wanted: Wanted) {
    let process = current_process();
    let thread = panic.thread.as_deref().map(|name| format!(", thread '{name}'")).unwrap_or_default();
    let mut text = format!("process '{}' (pid {}{thread}) panicked at ", process.name(), process.pid());
    match &panic.location {
        Some((file, line, column)) => text += &format!("{file}:{line}:{column}:\n{}\n", panic.message),
        None => text += &format!("an unknown place:\n{}\n", panic.message),
    }
    if let (Wanted::Everywhere, Some(backtrace)) = (wanted, &panic.backtrace) {
        text += &format!("stack backtrace:\n{backtrace}");
    }
    // stderr is not buffered: one call, one write. If it is closed or broken there is nobody to tell.
    std::io::stderr().write_all(text.as_bytes()).ok();
}

/// Leaves out the frames of the panic machinery above the panic, and those of this library below the target.
fn trim(backtrace: &str) -> String {
    let mut lines: Vec<&str> = backtrace.lines().collect();
    let is = |line: &&str, name: &str| line.contains(name);
    if let Some(last) = lines.iter().rposition(|line| is(line, "core::panicking::") || is(line, "begin_panic_handler"))
    {
        // Each frame is a line with its function and one with its place.
        let places = lines[last + 1..].iter().take_while(|line| line.trim_start().starts_with("at ")).count();
        lines.drain(..last + 1 + places);
    }
    if let Some(first) = lines.iter().position(|line| is(line, "mp_runtime::process::outcome::run")) {
        lines.truncate(first);
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
