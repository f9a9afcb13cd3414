//! The normal end of a process that has children, in Python's order.
//!
//! The process whose end is watched is a child here; `tests/programs.rs` does the same with whole programs.

use std::{
    io::{Read, Write},
    os::fd::OwnedFd,
};

use multiprocess as mp;

use super::support::{gate, wait_at, wait_for_ever, watchdog};

type Log = mp::Handle<OwnedFd>;

fn say(log: &Log, text: &str) {
    std::fs::File::from(log.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
}

#[mp::process_target]
fn says_when_told(log: Log, gate: mp::Handle<OwnedFd>) {
    super::support::wait_for(&gate);
    say(&log, "child\n");
}

#[test]
fn exit_functions_then_daemons_then_a_wait_for_all_children() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn leaves_children(log: Log) -> u32 {
        let (closed, gate) = gate();
        let daemon = mp::Process::new(wait_for_ever, ()).daemon(true).start().unwrap();
        let pid = daemon.pid();
        drop(daemon);
        drop(mp::spawn(says_when_told, (log.try_clone().unwrap().into(), closed)).unwrap());
        let copy = Log::from(log.try_clone().unwrap());
        mp::at_exit(move || {
            say(&copy, "first registered, last to run\n");
            drop(gate);
        })
        .unwrap();
        mp::at_exit(|| panic!("does not keep the others from running")).unwrap();
        mp::at_exit(move || say(&log, "last registered, first to run\n")).unwrap();
        pid
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let log = Log::new(writer.into());
    let child = mp::Process::new(leaves_children, (log,)).stderr(mp::Stdio::null()).start()?;
    let daemon = child.join()?;
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last registered, first to run\nfirst registered, last to run\nchild\n");
    assert!(!std::path::Path::new(&format!("/proc/{daemon}")).exists());
    Ok(())
}

#[test]
fn an_exit_call_waits_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn exits(log: Log, closed: mp::Handle<OwnedFd>) {
        drop(mp::spawn(says_when_told, (log, closed)).unwrap());
        std::process::exit(9);
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (closed, gate) = gate();
    let child = mp::spawn(exits, (Log::new(writer.into()), closed))?;
    assert!(child.join_timeout(std::time::Duration::from_millis(20)).is_none());
    drop(gate);
    assert_eq!(child.join().unwrap_err().ended().code(), Some(9));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "child\n");
    Ok(())
}

#[test]
fn a_daemon_that_ignores_its_termination_is_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn ignores_termination(ready: mp::Handle<OwnedFd>) {
        use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None).unwrap();
        drop(ready);
        loop {
            std::thread::park();
        }
    }
    #[mp::process_target]
    fn leaves_a_daemon() -> u32 {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let ready = mp::Handle::new(OwnedFd::from(writer));
        let daemon = mp::Process::new(ignores_termination, (ready,)).daemon(true).start().unwrap();
        reader.read_to_end(&mut Vec::new()).unwrap();
        daemon.pid()
    }
    let pid = mp::spawn(leaves_a_daemon, ())?.join()?;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}

#[test]
fn a_copy_of_a_process_leaves_the_originals_children_alone() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn forks() -> bool {
        let (closed, gate) = gate();
        let daemon = mp::Process::new(wait_at, (closed,)).daemon(true).start().unwrap();
        #[expect(unsafe_code, reason = "a fork without exec, as a C library might do one")]
        // SAFETY: the copy only exits, which is what is tried.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                // It is no child of the copy's, which must not take its result away either.
                let refused = matches!(daemon.try_join(), Some(Err(mp::JoinError::Wait(..))));
                std::process::exit(if refused { 0 } else { 1 })
            }
            nix::unistd::ForkResult::Parent { child } => {
                let status = nix::sys::wait::waitpid(child, None).unwrap();
                assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 0));
            }
        };
        let alive = daemon.is_alive();
        drop(gate);
        alive && daemon.join().is_ok()
    }
    assert!(mp::spawn(forks, ())?.join()?);
    Ok(())
}
