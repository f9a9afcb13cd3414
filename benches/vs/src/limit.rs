//! The limit: std's `Command` runs this program again, a `u64` goes in and out through two pipes.

use std::{
    env,
    io::{Read, Write, stdin, stdout},
    process::{Command, ExitCode, Stdio},
};

use crate::Failure;

const CHILD: &str = "--the-limit's-child";

/// Asked first of all in `main`; a process for which it holds starts nothing.
pub(crate) fn is_child() -> bool {
    env::args_os().nth(1).is_some_and(|argument| argument == CHILD)
}

pub(crate) fn child() -> ExitCode {
    let mut word = [0; 8];
    let done = stdin().read_exact(&mut word).and_then(|()| {
        let x = u64::from_ne_bytes(word);
        let mut out = stdout().lock();
        out.write_all(&(x + 1).to_ne_bytes())?;
        out.flush()
    });
    if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

pub(crate) fn start_and_join(x: u64) -> Result<u64, Failure> {
    let mut child = Command::new("/proc/self/exe").arg(CHILD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("the child has no pipes".into());
    };
    stdin.write_all(&x.to_ne_bytes())?;
    let mut word = [0; 8];
    stdout.read_exact(&mut word)?;
    let status = child.wait()?;
    if status.success() { Ok(u64::from_ne_bytes(word)) } else { Err(format!("the limit's child: {status}").into()) }
}
