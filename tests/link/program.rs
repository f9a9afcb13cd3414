//! A built program, and one run of it.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    elf::Elf,
    run::{self, Finished},
};

/// A program file that is never run itself: every run has a copy, which it may delete.
pub(crate) struct Program {
    file: PathBuf,
}

/// A directory with a copy of the program, and the file in which its `main` leaves a line.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
}

impl Program {
    pub(crate) fn at(file: PathBuf) -> Self {
        Self { file }
    }

    pub(crate) fn elf(&self) -> Elf {
        Elf::read(&self.file)
    }

    /// Runs a copy.
    pub(crate) fn run(&self, arguments: &[&OsStr]) -> (Finished, usize) {
        self.stage(|copy| {
            fs::copy(&self.file, copy).expect("the program was built");
        })
        .run(arguments, |_| {})
    }

    /// Runs it as `elf` says.
    pub(crate) fn run_as(
        &self,
        elf: &Elf,
        arguments: &[&OsStr],
        adjust: impl FnOnce(&mut Command),
    ) -> (Finished, usize) {
        self.stage(|copy| elf.write(copy)).run(arguments, adjust)
    }

    pub(crate) fn stage(&self, copy: impl FnOnce(&Path)) -> Stage {
        let stage = Stage { directory: tempfile::tempdir().expect("a temporary directory") };
        copy(&stage.program());
        fs::write(stage.log(), "").expect("the directory is ours");
        // Whoever the program runs as may delete it and write its log.
        for (path, mode) in [(stage.directory.path(), 0o777), (&stage.log(), 0o666)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        stage
    }
}

impl Stage {
    pub(crate) fn program(&self) -> PathBuf {
        self.directory.path().join("program")
    }

    /// Runs the program to its end; returns what it said, and how many times a `main` has begun.
    pub(crate) fn run(&self, arguments: &[&OsStr], adjust: impl FnOnce(&mut Command)) -> (Finished, usize) {
        let log = self.log();
        let mut command = Command::new(self.program());
        command.current_dir(self.directory.path()).arg(&log).args(arguments);
        command.env_remove("MULTIPROCESS_CHILD").env("RUST_BACKTRACE", "0");
        adjust(&mut command);
        let finished = run::run(command, run::PROGRAM);
        let mains = fs::read_to_string(&log).expect("the file was there before").lines().count();
        (finished, mains)
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

/// `tour` and more arguments, of which one is no UTF-8.
pub(crate) fn tour() -> [&'static OsStr; 4] {
    [OsStr::new("tour"), OsStr::new("two words"), OsStr::new("--test-threads=1"), OsStr::from_bytes(b"\xff\xfe")]
}
