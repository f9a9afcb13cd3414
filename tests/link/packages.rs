//! What cargo does with a package that starts processes.

use std::{fs, path::Path};

use super::{run, workbench::Workbench};

#[test]
fn tests_doctests_examples_and_benches_start_processes() {
    let workbench = Workbench::open();
    let cargo = |command, arguments: &[&str]| {
        workbench.finish(workbench.cargo(command).args(["--package", "suite"]).args(arguments))
    };

    let tested = cargo("test", &[]);
    for test in ["tests::unit ... ok", "tests::panics_arrive - should panic ... ok", "integration ... ok"] {
        assert_eq!(tested.stdout.matches(test).count(), 1, "{test}: {tested:?}");
    }
    let doctests = tested.stdout.lines().filter(|line| line.contains("letters (line") && line.ends_with("... ok"));
    assert_eq!(doctests.count(), 3, "{tested:?}");

    let printed = cargo("run", &["--example", "started"]);
    assert_eq!(printed.stdout, "example: 42 2\n", "{printed:?}");
    let printed = cargo("test", &["--bench", "started"]);
    assert_eq!(printed.stdout, "bench: 42 2\n", "{printed:?}");
    let printed = cargo("bench", &["--bench", "started"]);
    assert_eq!(printed.stdout, "bench: 42 2\n", "{printed:?}");
}

#[test]
fn nextest_runs_tests_that_start_processes() {
    let workbench = Workbench::open();
    let mut version = workbench.cargo("nextest");
    version.arg("--version");
    if !run::run(version, run::CARGO).status.success() {
        println!("skipped: cargo-nextest is not installed");
        return;
    }
    let tested = workbench.finish(workbench.cargo("nextest").args(["run", "--package", "suite"]));
    assert!(tested.stderr.contains("3 tests run: 3 passed"), "{tested:?}");
}

/// Two runtimes in one program would be two hooks and two tables, each with half of the targets.
#[test]
fn a_second_runtime_in_one_program_is_refused() {
    let workbench = Workbench::open();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("it is in a directory")).expect("the directory is ours");
        fs::write(path, text).expect("the directory is ours");
    };

    // Another version of the runtime: its manifest as it is, in a workspace of the same settings.
    let manifest = |path: &str| fs::read_to_string(repository.join(path)).expect("it is in the repository");
    let ours = manifest("Cargo.toml");
    let (workspace, _) = ours.split_once("\n[package]").expect("the manifest is a workspace's and a package's");
    let version = concat!("version = \"", env!("CARGO_PKG_VERSION"), "\"");
    write("other/Cargo.toml", &workspace.replacen(version, "version = \"9.0.0\"", 1));
    for package in ["mp-macros", "mp-runtime"] {
        write(&format!("other/{package}/Cargo.toml"), &manifest(&format!("{package}/Cargo.toml")));
        write(&format!("other/{package}/src/lib.rs"), "");
        write(&format!("other/{package}/build.rs"), "fn main() {}");
    }
    let program = |more: &str| {
        format!(
            "[package]\nname = \"program\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
             multiprocess = {{ path = '{}' }}\n{more}",
            repository.display()
        )
    };
    write("program/src/main.rs", "fn main() {}");

    let resolve = || {
        let mut cargo = workbench.cargo("generate-lockfile");
        cargo.current_dir(root.join("program"));
        run::run(cargo, run::CARGO)
    };
    write("program/Cargo.toml", &program(""));
    resolve().succeeded();
    write("program/Cargo.toml", &program("other = { package = \"mp-runtime\", path = '../other/mp-runtime' }\n"));
    let refused = resolve();
    assert!(!refused.status.success(), "{refused:?}");
    assert!(refused.stderr.contains("links to the native library `mp-runtime`"), "{refused:?}");
}
