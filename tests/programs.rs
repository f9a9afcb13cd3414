//! The end of whole programs that have children: a `main` that returns, exits, panics, is killed.
//!
//! This is a program itself (`harness = false`). Without an argument it is the test, and runs itself once for
//! each of its [`SCENARIOS`]; with the name of one it is that program.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    io::{Read, Write},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Command, ExitCode, Stdio},
    thread,
};

use multiprocess as mp;

/// What the program does last; how it must end (a code, or minus a signal).
const SCENARIOS: [(&str, i32); 6] =
    [("returns", 0), ("fails", 1), ("exits", 7), ("panics", 101), ("is killed", -9), ("ends a thread", 0)];

type Pipe = mp::Handle<OwnedFd>;

/// Waits until the gate is closed, and says so.
#[mp::process_target]
fn patient(gate: Pipe) {
    std::fs::File::from(gate.into_inner()).read_to_end(&mut Vec::new()).unwrap();
    println!("patient child ends");
}

#[mp::process_target]
fn endless() {
    loop {
        thread::park();
    }
}

/// The program: leaves a daemon and a patient child behind in the way that `scenario` says.
fn program(scenario: &str) -> Result<(), String> {
    println!("main runs");
    let (reader, writer) = std::io::pipe().unwrap();
    let daemon = mp::Process::new(endless, ()).daemon(true).start().unwrap();
    println!("daemon {}", daemon.pid());
    let start = move || mp::spawn(patient, (Pipe::new(reader.into()),)).unwrap();
    let child = if scenario == "ends a thread" { thread::spawn(start).join().unwrap() } else { start() };
    if scenario == "is killed" {
        nix::sys::signal::raise(nix::sys::signal::SIGKILL).unwrap();
    }
    assert!(child.is_alive(), "the thread that started it has ended, it has not");
    // The exit functions run before the wait: this one opens the gate.
    mp::at_exit(move || {
        println!("exit function");
        std::io::stdout().flush().unwrap();
        drop(writer);
    })
    .unwrap();
    match scenario {
        "fails" => Err("no".to_owned()),
        "exits" => std::process::exit(7),
        "panics" => panic!("on purpose"),
        _ => Ok(()),
    }
}

/// `ld.so program`: what `/proc/self/exe` is then would take the first argument for the program to run.
fn check_explicit_loader() {
    let loader = std::path::Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() {
        println!("no loader at {}", loader.display());
        return;
    }
    let output = Command::new(loader).arg(std::env::current_exe().unwrap()).arg("/bin/echo").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("refused: ") && text.contains("through the dynamic loader"), "{text}");
}

fn check(scenario: &str, end: i32) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mut running = command.arg(scenario).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut text = String::new();
    // The pipe ends when the last of the program's processes has: no orphan holds it open.
    running.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let status = running.wait().unwrap();
    assert_eq!(status.code().or(status.signal().map(|signal| -signal)), Some(end), "{scenario}: {text}");

    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("main runs"));
    let daemon = lines.next().unwrap().trim_start_matches("daemon ").to_owned();
    let rest: Vec<_> = lines.collect();
    if scenario == "is killed" {
        assert!(rest.is_empty(), "{scenario}: {rest:?}");
    } else {
        assert_eq!(rest, ["exit function", "patient child ends"], "{scenario}");
        assert!(!std::path::Path::new(&format!("/proc/{daemon}")).exists(), "{scenario}: the daemon is left");
    }
}

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if let Some((scenario, _)) = SCENARIOS.iter().find(|(scenario, _)| *scenario == argument) {
        return match program(scenario) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if argument == "/bin/echo" {
        match mp::spawn(endless, ()) {
            Ok(child) => println!("started {child:?}: {:?}", child.kill()),
            Err(error) => println!("refused: {error}"),
        }
        return ExitCode::SUCCESS;
    }
    // What test runners ask of a test that is no harness.
    if std::env::args().any(|argument| argument == "--list") {
        if !std::env::args().any(|argument| argument == "--ignored") {
            println!("programs: test");
        }
        return ExitCode::SUCCESS;
    }
    thread::spawn(|| {
        thread::sleep(std::time::Duration::from_secs(120));
        eprintln!("programs: hangs");
        std::process::abort();
    });
    for (scenario, end) in SCENARIOS {
        for _ in 0..5 {
            check(scenario, end);
        }
    }
    check_explicit_loader();
    println!("{} passed, 0 failed", SCENARIOS.len() + 1);
    ExitCode::SUCCESS
}
