//! `sigaltstack(2)`: telling a stack that is used up from any other bad access.
//!
//! std does this before `main`, which a child never reaches. The handler runs on a stack of its own, says
//! what happened, puts the default action back and returns: the access is repeated and the kernel ends the
//! process by SIGSEGV, with the core dump and exit status that it would have had.

use std::{
    cell::UnsafeCell,
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    ptr,
    sync::atomic::{AtomicI32, AtomicPtr, Ordering},
};

use super::errno::check;

/// How far from the stack pointer a fault still counts as the stack's. Compilers touch every page of a
/// large frame in turn, so the first fault is within a page of the pointer; the rest is margin.
const NEAR: usize = 64 << 10;

const ALTERNATE: usize = 32 << 10;

#[repr(align(16))]
struct Stack(UnsafeCell<[u8; ALTERNATE]>);

// SAFETY: only the kernel writes to it, for the one thread that installed it.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; ALTERNATE]));
static SOCKET: AtomicI32 = AtomicI32::new(-1);
static NOTE: AtomicPtr<Notes> = AtomicPtr::new(ptr::null_mut());

/// What the handler says, made beforehand: it must not allocate.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Sent as one message on the socket.
    pub(crate) message: Vec<u8>,
    /// Written to stderr.
    pub(crate) text: String,
}

/// What is to be said from here on.
pub(crate) fn note(notes: &'static mut Notes) {
    NOTE.store(notes, Ordering::Release);
}

/// Watches the calling thread's stack, also in copies of this process. `socket` must live as long as the process.
pub(crate) fn watch_stack(socket: BorrowedFd<'static>) -> io::Result<()> {
    SOCKET.store(socket.as_raw_fd(), Ordering::Relaxed);
    let stack = libc::stack_t { ss_sp: STACK.0.get().cast(), ss_flags: 0, ss_size: ALTERNATE };
    // SAFETY: the stack is static memory that nothing else uses.
    check(unsafe { libc::sigaltstack(&stack, ptr::null_mut()) })?;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        set_action(signal, on_fault as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK)?;
    }
    Ok(())
}

fn set_action(signal: i32, handler: usize, flags: i32) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all-zero is a valid value of this C struct: no flags, an empty mask.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the action is filled in; the handler, if it is a function, has the type that SA_SIGINFO asks
    // for and does only what signal-safety(7) allows.
    check(unsafe { libc::sigaction(signal, action, ptr::null_mut()) }).map(drop)
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a filled siginfo.
    let info = unsafe { &*info };
    // One that a process has sent (`kill(2)`) is no fault: there is nothing that would be repeated.
    let sent = info.si_code <= 0;
    // SAFETY: for these two signals the address is the part of the union that is filled, or zero-filled memory.
    let address = unsafe { info.si_addr() } as usize;
    // SAFETY: with SA_SIGINFO the third argument is a ucontext.
    let pointer = stack_pointer(unsafe { &*context.cast::<libc::ucontext_t>() });
    if !sent && address.abs_diff(pointer) <= NEAR {
        say_overflow(SOCKET.load(Ordering::Relaxed));
    }
    // Nothing can be done about a failure here; the fault would then repeat for ever, which the kernel
    // prevents only for the default action, so the process leaves instead.
    if set_action(signal, libc::SIG_DFL, 0).is_err() {
        // SAFETY: `_exit` is async-signal-safe.
        unsafe { libc::_exit(128 + signal) };
    }
    if sent {
        // SAFETY: `raise` is async-signal-safe; the signal is delivered when this handler returns.
        unsafe { libc::raise(signal) };
    }
}

fn say_overflow(socket: RawFd) {
    // SAFETY: null or the notes that were given for the life of the process, and never changed since.
    let Some(notes) = (unsafe { NOTE.load(Ordering::Acquire).as_ref() }) else { return };
    // SAFETY: `send` is async-signal-safe; pointer and length are the message's.
    let _sent = unsafe {
        libc::send(socket, notes.message.as_ptr().cast(), notes.message.len(), libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
    };
    // SAFETY: `write` is async-signal-safe; pointer and length are the text's.
    let _written = unsafe { libc::write(2, notes.text.as_ptr().cast(), notes.text.len()) };
}

#[cfg(target_arch = "x86_64")]
fn stack_pointer(context: &libc::ucontext_t) -> usize {
    context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize
}

#[cfg(target_arch = "aarch64")]
fn stack_pointer(context: &libc::ucontext_t) -> usize {
    context.uc_mcontext.sp as usize
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn stack_pointer(_context: &libc::ucontext_t) -> usize {
    usize::MAX // unknown: an overflow is then reported as the SIGSEGV that it is
}
