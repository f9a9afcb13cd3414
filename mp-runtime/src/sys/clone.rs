//! `clone(2)` and `execve(2)`: a new program in a child, as `posix_spawn(3)` does it, and its pidfd with it.
//!
//! The child borrows the parent's memory and runs on a stack of its own while the parent's thread waits
//! (`CLONE_VM | CLONE_VFORK`), so nothing is copied however large the parent is. Three rules keep that sound:
//! all signals are blocked until the new program unblocks them, so no handler of the parent's runs in the
//! child; the child allocates nothing, locks nothing and only makes system calls; what it wants to say it
//! writes into [`Failure`], which the parent reads after it is gone.

use std::{
    convert::Infallible,
    ffi::{CStr, c_char, c_int, c_void},
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering},
};

use super::{errno::check, fcntl, poll, signal, socket, waitid};

/// Where the child finds its control socket.
pub(crate) const CONTROL: RawFd = 3;
/// Where it finds the read end of its parent's lifeline.
pub(crate) const LIFELINE: RawFd = 4;
/// From here on nothing is inherited.
const FIRST_CLOSED: libc::c_uint = 5;

/// The two descriptors that a child finds open besides its standard streams, close-on-exec from here on.
///
/// # Errors
///
/// EBADF if they are not open, and if they were taken before.
pub(crate) fn take_inherited() -> io::Result<(OwnedFd, OwnedFd)> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let bad = || io::Error::from_raw_os_error(libc::EBADF);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(bad());
    }
    for fd in [CONTROL, LIFELINE] {
        // SAFETY: takes integers.
        check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }).map_err(|_| bad())?;
    }
    // SAFETY: open, as the call above has shown, and ours: the parent put it there for this function, which
    // hands it out once.
    let control = unsafe { OwnedFd::from_raw_fd(CONTROL) };
    // SAFETY: as above.
    let lifeline = unsafe { OwnedFd::from_raw_fd(LIFELINE) };
    Ok((control, lifeline))
}

/// Whether a socket like a control socket is open where a child finds it. Only for the time before `main`.
pub(crate) fn is_child_start() -> bool {
    if !is_open(CONTROL) {
        return false;
    }
    // SAFETY: it is open, and before `main` there is nobody who could close it.
    socket::is_seqpacket(unsafe { BorrowedFd::borrow_raw(CONTROL) })
}

/// What a standard stream of the child is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream<'a> {
    /// The parent's; /dev/null where the parent has none.
    Inherit,
    Null,
    /// Must not be one of the parent's own stdin, stdout and stderr.
    Fd(BorrowedFd<'a>),
}

/// What to run, and with what.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    pub(crate) executable: &'a CStr,
    pub(crate) arguments: &'a [&'a CStr],
    pub(crate) environment: &'a [&'a CStr],
    pub(crate) directory: Option<&'a CStr>,
    pub(crate) streams: [Stream<'a>; 3],
    /// These two must not be stdin, stdout or stderr either.
    pub(crate) control: BorrowedFd<'a>,
    pub(crate) lifeline: BorrowedFd<'a>,
}

/// A child that has become its program.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// Where a start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There never was a child.
    Clone,
    /// The child could not put its descriptors into place,
    Descriptors,
    /// could not enter its directory,
    Directory,
    /// could not execute the program.
    Execute,
}

/// Starts the program.
///
/// # Errors
///
/// Whatever stopped the child before it became the program, and at which step.
pub(crate) fn start(program: &Program<'_>) -> Result<Child, (Step, io::Error)> {
    let arguments = null_terminated(program.arguments);
    let environment = null_terminated(program.environment);
    let plan = Plan { program, arguments: &arguments, environment: &environment, failure: Failure::default() };

    let child = clone(&plan).map_err(|error| (Step::Clone, error))?;
    let Some(failure) = plan.failure.read() else { return Ok(child) };
    // It is on its way out; nobody else knows of it, so its zombie is ours to remove.
    reap(&child);
    Err(failure)
}

/// Waits for the end of a child that nobody is to hear of, and removes its zombie.
pub(crate) fn reap(child: &Child) {
    if poll::readable(&child.pidfd, poll::Deadline::NEVER).is_ok() {
        waitid::try_reap(&child.pidfd).ok();
    }
}

fn clone(plan: &Plan<'_>) -> io::Result<Child> {
    // A little over what posix_spawn takes for the same calls; on the heap, so that it costs no mapping.
    let mut stack = vec![0_u128; 1024];
    let mut pidfd: RawFd = -1;

    let blocked = signal::block_all()?;
    // SAFETY: the stack pointer is the aligned end of a live allocation that nothing else uses; the plan
    // outlives the child's use of it because CLONE_VFORK holds this thread until the child has execed or
    // ended; `become_program` follows the rules above; with CLONE_PIDFD the next argument is where the
    // descriptor goes.
    let pid = unsafe {
        libc::clone(
            become_program,
            stack.as_mut_ptr_range().end.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            ptr::from_ref(plan).cast_mut().cast(),
            ptr::from_mut(&mut pidfd),
        )
    };
    let pid = check(pid);
    drop(blocked);

    let pid = pid?.unsigned_abs();
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // A closed stream of this process's is not to become a child's pidfd. Without room for a copy it stays.
    let pidfd = if pidfd.as_raw_fd() > 2 { pidfd } else { fcntl::duplicate(&pidfd).unwrap_or(pidfd) };
    Ok(Child { pid, pidfd })
}

fn null_terminated(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

struct Plan<'a> {
    program: &'a Program<'a>,
    arguments: &'a [*const c_char],
    environment: &'a [*const c_char],
    failure: Failure,
}

/// Written by the child before it ends, read by the parent after.
#[derive(Default)]
struct Failure {
    step: AtomicU8,
    /// Zero: there was none.
    errno: AtomicI32,
}

impl Failure {
    fn at(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }

    fn read(&self) -> Option<(Step, io::Error)> {
        let errno = self.errno.load(Ordering::Acquire);
        let steps = [Step::Clone, Step::Descriptors, Step::Directory, Step::Execute];
        let step = steps.get(usize::from(self.step.load(Ordering::Relaxed))).copied()?;
        (errno != 0).then(|| (step, io::Error::from_raw_os_error(errno)))
    }
}

/// The child's few steps in its parent's memory.
extern "C" fn become_program(plan: *mut c_void) -> c_int {
    // SAFETY: this is the pointer that `start` passed, to a plan that lives until this process has execed or ended.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    let Err(error) = try_become(plan);
    plan.failure.errno.store(error.raw_os_error().unwrap_or(libc::EINVAL), Ordering::Release);
    127
}

fn try_become(plan: &Plan<'_>) -> io::Result<Infallible> {
    let program = plan.program;
    #[cfg(feature = "faults")]
    crate::fault::point_before_exec(program.environment);
    plan.failure.at(Step::Descriptors);
    put_descriptors(program)?;
    if let Some(directory) = program.directory {
        plan.failure.at(Step::Directory);
        // SAFETY: a NUL-terminated string.
        check(unsafe { libc::chdir(directory.as_ptr()) })?;
    }
    plan.failure.at(Step::Execute);
    let (path, arguments, environment) =
        (program.executable.as_ptr(), plan.arguments.as_ptr(), plan.environment.as_ptr());
    // Not through the C library's function, which others may have replaced (LD_PRELOAD) by one that needs more
    // stack than there is here.
    // SAFETY: NUL-terminated strings and null-terminated arrays of them, alive until the call succeeds.
    unsafe { libc::syscall(libc::SYS_execve, path, arguments, environment) };
    Err(io::Error::last_os_error())
}

fn put_descriptors(program: &Program<'_>) -> io::Result<()> {
    for (stream, number) in program.streams.iter().zip(0..) {
        match stream {
            Stream::Fd(fd) => put(fd.as_raw_fd(), number)?,
            Stream::Null => put_null(number)?,
            Stream::Inherit if is_open(number) => {}
            Stream::Inherit => put_null(number)?,
        }
    }
    // Either may sit where the other must go: first out of the way, then into place.
    let control = duplicate_high(program.control)?;
    let lifeline = duplicate_high(program.lifeline)?;
    put(control, CONTROL)?;
    put(lifeline, LIFELINE)?;
    // SAFETY: closes descriptors of this process only: the table was copied, not shared. They are all
    // close-on-exec or forgotten by whoever opened them; either way none of them is the new program's business.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST_CLOSED, libc::c_uint::MAX, 0) };
    check(closed as c_int).map(drop)
}

fn put(fd: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: takes integers. The copy is not close-on-exec: that is its purpose.
    check(unsafe { libc::dup2(fd, number) }).map(drop)
}

fn put_null(number: RawFd) -> io::Result<()> {
    // SAFETY: a NUL-terminated string.
    let null = check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) })?;
    if null == number {
        // It landed in the right place by itself; dup2 onto itself would leave it close-on-exec.
        // SAFETY: takes integers.
        return check(unsafe { libc::fcntl(null, libc::F_SETFD, 0) }).map(drop);
    }
    put(null, number)?;
    // It may have landed on another standard stream that is closed, which would then pass for an open one.
    // SAFETY: takes an integer; the descriptor was opened above.
    check(unsafe { libc::close(null) }).map(drop)
}

fn is_open(number: RawFd) -> bool {
    // SAFETY: takes integers; a closed descriptor is an error, which is the question.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

fn duplicate_high(fd: BorrowedFd<'_>) -> io::Result<RawFd> {
    // SAFETY: takes integers; the copy is close-on-exec and dies with `close_range` below.
    check(unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, LIFELINE + 1) })
}
