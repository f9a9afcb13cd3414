//! Programs that are built and run: whatever built them, a child is taken before `main`, and where it would not
//! be, none is started.
//!
//! `link/programs` is a workspace of its own with those programs. They are built under the target directory,
//! without network, with the crates that these tests needed themselves. Flags are given to the crate that is
//! linked, where that makes the same program, so that its dependencies are built once. What this machine cannot
//! build is skipped with a note (`cargo test --test link -- --nocapture`).
//!
//! A program that takes its children for itself would start itself without end; so `main` of each one counts
//! its runs in a file, and the second one is the last.

#[path = "link/builds.rs"]
mod builds;
#[path = "link/elf.rs"]
mod elf;
#[path = "link/packages.rs"]
mod packages;
#[path = "link/plugins.rs"]
mod plugins;
#[path = "link/privileged.rs"]
mod privileged;
#[path = "link/program.rs"]
mod program;
#[path = "link/run.rs"]
mod run;
#[path = "link/workbench.rs"]
mod workbench;
