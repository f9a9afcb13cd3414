//! The other side: how a process finds out that it is a child, before `main`, and what it does then.
//!
//! It reads its preparation, arms its lifeline, lets the rest of the program's constructors fill the table of
//! targets, runs its target, says how that went, and exits. `main` never runs. Whatever goes wrong on the
//! way is told to the parent; only where there is no parent to tell does it stand on stderr.

use std::{
    convert::Infallible,
    ffi::CString,
    os::fd::{AsFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use nix::{libc, sys::prctl};

use super::{
    OnParentDeath, current, exit_code, launch, lifeline,
    outcome::{self, How, Ran, kind},
    panic_hook, preload,
    preparation::Preparation,
    registry,
    target::Can,
};
use crate::{
    codec::{Decoder, Encoded, Message},
    error::{Error, Result},
    fault::{self, Step},
    ipc::{Incoming, try_recv},
    sys::{
        self, clone,
        environ::take_before_main,
        init_array::{Hook, before_main},
        sigaltstack::{self, Notes},
        signal, socket,
    },
};

/// The exit code of a process that was started as a child, but not by us: EX_PROTOCOL of `sysexits(3)`.
const NOT_OURS: i32 = 76;
/// The exit code of a child that could not run its target.
const REFUSED: i32 = 1;
/// The exit code of a child whose target panicked; what any Rust program that panics exits with.
const PANICKED: i32 = 101;

before_main!(at_start);

fn at_start(hook: Hook) {
    let marked = take_before_main(launch::MARK.as_ref()).is_some();
    // A privileged program must not be told by its environment what to run.
    let privileged = sys::getauxval::is_secure();
    if marked && !privileged {
        // A panic must not reach the C library's start-up code.
        let Ok(never) = catch_unwind(|| be_a_child(hook)) else { std::process::abort() };
        match never {}
    }
    if marked && clone::is_child_start() {
        // Its parent had not these rights, or it would not have tried; but `main` must not run a second time.
        leave("a child must not gain rights when it starts (setuid, setgid or file capabilities)");
    }
    launch::hook_ran(hook.this);
}

fn be_a_child(hook: Hook) -> Infallible {
    fault::point(Step::Hook);
    let (control, lifeline) = match clone::take_inherited() {
        Ok((control, lifeline)) if socket::is_seqpacket(&control) => (control, lifeline),
        _ => leave(&format!("{} is set, but this process was not started by `multiprocess`", launch::MARK)),
    };
    match receive(&control) {
        Ok((_, message)) if message.kind() == kind::SERVE => match launch::serve(hook, control, lifeline, &message) {
            Ok(never) => never,
            // The parent has gone, or has been told.
            Err(error) => leave(&error.to_string()),
        },
        received => {
            let control = keep(control);
            let served = received.and_then(|(preloads, preparation)| {
                signal::reset_for_child().map_err(|error| Error::os("reset the signals", error))?;
                run(control, keep(lifeline), preparation, Origin::Executed(hook, preloads))
            });
            leave_with(control, served)
        }
    }
}

/// As long as the process.
pub(super) fn keep(fd: OwnedFd) -> &'static OwnedFd {
    Box::leak(Box::new(fd))
}

/// Ends this process as its target did, or says why there was none.
pub(super) fn leave_with(control: &OwnedFd, served: Result<i32>) -> ! {
    let code = match served {
        Ok(code) => code,
        Err(error) => match outcome::tell(control, kind::REFUSED, &error.to_string()) {
            Err(unsaid) if !is_gone(&unsaid) => leave(&error.to_string()),
            _ => REFUSED,
        },
    };
    // Runs the exit functions, waits for this process's own children, and flushes what std has buffered.
    std::process::exit(code)
}

/// Whether the parent has ended. Nothing is wrong with this child then, and nobody is waiting for its word.
fn is_gone(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET))
}

/// There is no parent that could be told.
fn leave(why: &str) -> ! {
    eprintln!("multiprocess: {why}");
    std::process::exit(NOT_OURS)
}

/// What a child has behind it.
pub(super) enum Origin {
    /// It has just been executed: its other constructors have not run, nor what is to be preloaded.
    Executed(Hook, Vec<Message>),
    /// It was forked from one in which all that has run.
    Forked,
}

/// Everything between the preparation and the last word. Returns the exit code.
pub(super) fn run(
    control: &'static OwnedFd,
    lifeline: &'static OwnedFd,
    message: Message,
    origin: Origin,
) -> Result<i32> {
    let mut decoder = Decoder::new(&message);
    let preparation: Preparation = decoder.take()?;
    if preparation.greet {
        outcome::send(control, &Encoded::empty(kind::HELLO))?;
    }
    fault::point(Step::Prepared);
    let parent_ended = lifeline::hold(lifeline, preparation.on_parent_death)?;
    if parent_ended && preparation.on_parent_death != OnParentDeath::Continue {
        // Before it could be armed to send the signal itself.
        std::process::exit(REFUSED);
    }
    current::become_child(&preparation, lifeline);
    if let Ok(name) = CString::new(preparation.name.as_str()) {
        // What `ps` and `top` show; the kernel cuts it to 15 bytes.
        prctl::set_name(&name).ok();
    }
    #[cfg(feature = "faults")]
    fault::at_exit();
    let preloads = match origin {
        Origin::Executed(hook, preloads) => {
            hook.run_following();
            watch(control)?;
            preloads
        }
        Origin::Forked => Vec::new(),
    };
    fault::point(Step::Constructed);

    sigaltstack::note(overflow_notes(&preparation));
    let entry = registry::find(&preparation.target)?;
    let position = decoder.position();
    let Can::Run { run, .. } = entry.can else {
        return Err(Error::refused(format!(
            "target {} cannot be run by itself: it takes or makes the state of a pool's workers, or is preloaded",
            entry.id.name()
        )));
    };
    let ran = catch_unwind(AssertUnwindSafe(|| match preloads.iter().try_for_each(preload::perform) {
        Ok(()) => run(message, position),
        Err(error) => Ran(How::Refused(error)),
    }));
    tell(control, ran)
}

/// Has panics and stack overflows told, in this process and its copies.
pub(super) fn watch(control: &'static OwnedFd) -> Result<()> {
    panic_hook::install(control);
    sigaltstack::watch_stack(control.as_fd()).map_err(|error| Error::os("watch the stack", error))
}

/// What is to be preloaded, and the message behind that: a preparation, or what makes a server.
fn receive(control: &OwnedFd) -> Result<(Vec<Message>, Message)> {
    let mut preloads = Vec::new();
    loop {
        // The parent has sent it before this process was there: a socket on which nothing waits is not its socket.
        match try_recv(control)? {
            Incoming::Message(message) => match message.kind() {
                kind::PRELOAD => preloads.push(preload::kept(message)),
                kind::PREPARATION | kind::SERVE => return Ok((preloads, message)),
                other => {
                    return Err(Error::protocol(format!("the first message is of kind {other}, not a preparation")));
                }
            },
            Incoming::Nothing | Incoming::End => return Err(Error::protocol("the parent has sent no preparation")),
        }
    }
}

fn tell(control: &OwnedFd, ran: thread::Result<Ran>) -> Result<i32> {
    let code = match ran {
        Ok(Ran(How::Returned(encoded))) => {
            fault::point(Step::Encoded);
            outcome::send(control, &encoded)
                .map(|()| 0)
                .or_else(|error| outcome::tell(control, kind::UNENCODABLE, &error.to_string()).map(|()| REFUSED))?
        }
        Ok(Ran(How::Exit(code))) => exit_code::number(code),
        Ok(Ran(How::Refused(error))) => return Err(error),
        Ok(Ran(How::Unencodable(error))) => {
            outcome::tell(control, kind::UNENCODABLE, &error.to_string())?;
            REFUSED
        }
        Err(payload) => {
            let panic = panic_hook::take(payload.as_ref());
            // Its destructor may panic too, and this process is about to end anyway.
            std::mem::forget(payload);
            outcome::tell(control, kind::PANICKED, &panic)?;
            PANICKED
        }
    };
    fault::point(Step::Sent);
    Ok(code)
}

fn overflow_notes(preparation: &Preparation) -> &'static mut Notes {
    let text = format!(
        "process '{}' (pid {}) has used up its stack in target {}\n",
        preparation.name,
        std::process::id(),
        preparation.target.name
    );
    Box::leak(Box::new(Notes { message: Encoded::empty(kind::STACK_OVERFLOW).to_bytes(), text }))
}
