//! Runs a command under a watchdog.

use std::{
    fmt,
    io::ErrorKind,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// For a program whose work takes a moment. A hang of it is what these tests are afraid of.
pub(crate) const PROGRAM: Duration = Duration::from_secs(60);
/// For cargo on a slow machine.
pub(crate) const CARGO: Duration = Duration::from_secs(600);

/// What a command has said, and how it ended.
pub(crate) struct Finished {
    command: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// # Panics
    ///
    /// If the command did not succeed.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.status.success(), "{self:?}");
        self
    }
}

/// All of it, for a test's message.
impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// Runs `command` to its end. After `limit` it is killed, with all that it has started.
///
/// # Panics
///
/// If it cannot be started.
pub(crate) fn run(mut command: Command, limit: Duration) -> Finished {
    // A group of its own, so that the watchdog reaches its children too.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(&mut command, limit);
    let group = Pid::from_raw(child.id().cast_signed());
    let (finished, watched) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if watched.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            killpg(group, Signal::SIGKILL).ok();
        }
    });
    let output = child.wait_with_output().expect("the output of a child of ours can be read");
    drop(finished);
    watchdog.join().expect("the watchdog does not panic");
    Finished {
        command: format!("{command:?}"),
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn spawn(command: &mut Command, limit: Duration) -> Child {
    let start = Instant::now();
    loop {
        match command.spawn() {
            // The program was written by this process, and a child that another test starts at this moment
            // still has the descriptor: until it execs.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && start.elapsed() < limit => {
                thread::yield_now();
            }
            started => return started.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        }
    }
}
