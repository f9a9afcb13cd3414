//! CPython's multiprocessing: one interpreter that stays, and takes its turn when told to.

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::Failure;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/python.py");

pub(crate) struct Python {
    version: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: RefCell<BufReader<ChildStdout>>,
}

impl Python {
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut child = Command::new("python3")
            .args(["-B", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3 does not run: {error}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("python3 has no stdout")?;
        let stdout = RefCell::new(BufReader::new(stdout));
        let mut python = Self { version: String::new(), child, stdin, stdout };
        python.version = python.line()?;
        Ok(python)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The version of a package, if it is installed.
    pub(crate) fn version_of(&self, package: &str) -> Result<Option<String>, Failure> {
        Ok(Some(self.ask(&format!("version {package}"))?).filter(|version| !version.is_empty()))
    }

    /// One turn of what this line asks for, timed inside.
    pub(crate) fn time(&self, line: &str) -> Result<Duration, Failure> {
        self.ask(line)?.parse().map(Duration::from_nanos).map_err(|_| "python3 said no number".into())
    }

    fn ask(&self, line: &str) -> Result<String, Failure> {
        let mut stdin = self.stdin.as_ref().ok_or("python3 has no stdin")?;
        stdin.write_all(format!("{line}\n").as_bytes())?;
        self.line()
    }

    fn line(&self) -> Result<String, Failure> {
        let mut line = String::new();
        self.stdout.borrow_mut().read_line(&mut line)?;
        if line.is_empty() { Err("python3 has ended".into()) } else { Ok(line.trim_end().to_owned()) }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The end of its input is its end.
        self.stdin = None;
        self.child.wait().ok();
    }
}
