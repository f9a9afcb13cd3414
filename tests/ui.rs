//! What the attribute refuses, and in which words (`ui/fail`), and what it must get along with (`ui/pass`).
//!
//! A case in `ui/fail` has one mistake and is named for it; its `.stderr` is written by `TRYBUILD=overwrite
//! cargo test --test ui` and read by a person, never written by one: is it on the user's token, said once,
//! with the remedy?

use std::process::Command;

/// The compiler whose words the `.stderr` files have.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn pass() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn fail() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("a test runs where a compiler is");
    let version = String::from_utf8_lossy(&version.stdout);
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
    } else {
        println!("not compared: the messages are those of {COMPILER}x, this is {version}");
    }
}
