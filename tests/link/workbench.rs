//! Where the programs are built: a copy of `programs/` under the target directory, with a target directory of
//! its own, so that the cargo here never waits for the one that runs the tests.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    program::Program,
    run::{self, Finished},
};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
/// How the manifest of the programs names the repository.
const RELATIVE: &str = "../../..";

/// One build of a package.
#[derive(Clone, Copy, Default)]
pub(crate) struct Recipe<'a> {
    /// What the built file is called; each recipe has another one.
    pub(crate) name: &'a str,
    pub(crate) release: bool,
    /// Settings of the profile, for every crate: `("LTO", "fat")`.
    pub(crate) profile: &'a [(&'a str, &'a str)],
    /// Flags for the last crate, the one that is linked. All others stay as they were built.
    pub(crate) flags: &'a [&'a str],
}

/// The right to use the copy: one test at a time, also where each runs in a process of its own.
pub(crate) struct Workbench {
    #[expect(dead_code, reason = "closing it lets the next one in")]
    lock: File,
}

impl Workbench {
    /// Waits for its turn, and brings the copy up to date.
    pub(crate) fn open() -> Self {
        fs::create_dir_all(directory()).expect("cargo has made the directory above");
        let lock = File::create(directory().join("lock")).expect("a file in the test's own directory");
        lock.lock().expect("no other user has the lock");
        let workbench = Self { lock };
        workbench.copy(&Path::new(REPOSITORY).join("tests/link/programs"), &workbench.sources());
        // The versions that were there to build these tests are there to build the programs.
        update(&workbench.sources().join("Cargo.lock"), read(&Path::new(REPOSITORY).join("Cargo.lock")));
        workbench
    }

    pub(crate) fn sources(&self) -> PathBuf {
        directory().join("programs")
    }

    /// Builds the program of most tests.
    pub(crate) fn app(&self, recipe: &Recipe<'_>) -> Program {
        Program::at(self.build("app", "app", recipe))
    }

    /// Builds a package, and returns its file under a name that no later build uses.
    pub(crate) fn build(&self, package: &str, file: &str, recipe: &Recipe<'_>) -> PathBuf {
        let mut cargo = self.cargo("rustc");
        cargo.args(["--quiet", "--package", package]);
        let profile = if recipe.release { "release" } else { "debug" };
        if recipe.release {
            cargo.arg("--release");
        }
        for (key, value) in recipe.profile {
            cargo.env(format!("CARGO_PROFILE_{}_{key}", if recipe.release { "RELEASE" } else { "DEV" }), value);
        }
        self.finish(cargo.arg("--").args(recipe.flags));
        let built = directory().join("built").join(recipe.name);
        fs::create_dir_all(&built).expect("a directory in the test's own");
        let built = built.join(file);
        // A new file: what runs of the old one is not disturbed.
        fs::remove_file(&built).ok();
        fs::copy(self.target().join(profile).join(file), &built).expect("cargo has built it");
        built
    }

    /// Cargo in the copy, without network, and without what the outer cargo has put into the environment.
    pub(crate) fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        for (name, _) in env::vars_os().filter(|(name, _)| is_of_outer_build(name)) {
            cargo.env_remove(name);
        }
        cargo.current_dir(self.sources()).arg(command);
        cargo.env("CARGO_TARGET_DIR", self.target()).env("CARGO_NET_OFFLINE", "true").env("CARGO_INCREMENTAL", "0");
        // Set and empty: what a configuration file says does not count either.
        cargo.env("CARGO_ENCODED_RUSTFLAGS", "").env("CARGO_ENCODED_RUSTDOCFLAGS", "");
        cargo
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub(crate) fn finish(&self, command: &mut Command) -> Finished {
        run::run(std::mem::replace(command, Command::new("")), run::CARGO).succeeded()
    }

    fn target(&self) -> PathBuf {
        directory().join("target")
    }

    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir_all(to).expect("a directory in the test's own");
        for entry in fs::read_dir(from).expect("the programs are in the repository") {
            let entry = entry.expect("a directory that nobody changes").path();
            let copy = to.join(entry.file_name().expect("an entry has a name"));
            if entry.is_dir() {
                self.copy(&entry, &copy);
            } else {
                update(&copy, read(&entry).replace(RELATIVE, REPOSITORY));
            }
        }
    }
}

/// Where all of it is.
fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("link")
}

fn is_of_outer_build(variable: &OsStr) -> bool {
    const KEPT: [&str; 2] = ["CARGO_HOME", "CARGO_BUILD_JOBS"];
    const FOREIGN: [&str; 5] = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "NEXTEST"];
    let name = variable.to_string_lossy();
    let foreign = FOREIGN.iter().any(|prefix| name.starts_with(prefix)) || name == "MAKEFLAGS" || name == "MFLAGS";
    foreign && !KEPT.contains(&&*name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes only what is new: cargo goes by the time of a file.
fn update(path: &Path, text: String) {
    match fs::read_to_string(path) {
        Ok(present) if present == text => return,
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{}: {error}", path.display()),
        _ => {}
    }
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
