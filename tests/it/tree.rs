//! Children of children, and what happens when one in the middle ends.

use std::{
    io::{BufRead, BufReader, Read},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use multiprocess as mp;

use super::support::{eventually, is_running, wait_for_ever, watchdog};

type Log = mp::Handle<OwnedFd>;

/// A chain of processes below this one; each writes its pid, then waits for ever.
#[mp::process_target]
fn chain(log: Log, deeper: u32, survive: bool) {
    let text = format!("{}\n", std::process::id());
    nix::unistd::write(&log, text.as_bytes()).unwrap();
    if deeper > 0 {
        let action = if survive { mp::OnParentDeath::Continue } else { mp::OnParentDeath::Kill };
        let child = mp::Process::new(chain, (log, deeper - 1, survive)).on_parent_death(action).start().unwrap();
        child.join().ok();
    } else {
        // What holds the log open to the end is the last of the chain.
        std::mem::forget(log);
    }
    wait_for_ever();
}

fn start_chain(depth: u32, survive: bool) -> (mp::Process<()>, Vec<u32>, BufReader<std::io::PipeReader>) {
    let (reader, writer) = std::io::pipe().unwrap();
    let child = mp::spawn(chain, (Log::new(writer.into()), depth, survive)).unwrap();
    let mut reader = BufReader::new(reader);
    let pids = (0..=depth)
        .map(|_| {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        })
        .collect();
    (child, pids, reader)
}

#[test]
fn a_killed_process_takes_the_tree_below_it() {
    let _watchdog = watchdog();
    for signal in [nix::libc::SIGKILL, nix::libc::SIGTERM, nix::libc::SIGSEGV] {
        for _ in 0..5 {
            let (child, pids, mut log) = start_chain(3, false);
            assert_eq!(pids.len(), 4);
            child.signal(signal).unwrap();
            child.join().unwrap_err();
            // The pipe ends when its last holder does: an event, not a guess.
            log.read_to_end(&mut Vec::new()).unwrap();
            eventually("the end of the tree", || !pids.iter().any(|&pid| is_running(pid)));
        }
    }
}

#[test]
fn a_link_in_the_middle_takes_those_below_it() {
    let _watchdog = watchdog();
    let (child, pids, mut log) = start_chain(3, false);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[1].cast_signed()), nix::sys::signal::SIGKILL).unwrap();
    log.read_to_end(&mut Vec::new()).unwrap();
    eventually("the end of those below", || !pids[1..].iter().any(|&pid| is_running(pid)));
    assert!(child.is_alive(), "the one above waits for ever, as it was told");
    child.kill().unwrap();
    child.join().unwrap_err();
}

#[test]
fn a_child_may_be_told_to_go_on() {
    let _watchdog = watchdog();
    let (child, pids, mut log) = start_chain(1, true);
    child.kill().unwrap();
    child.join().unwrap_err();
    assert!(is_running(pids[1]));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[1].cast_signed()), nix::sys::signal::SIGKILL).unwrap();
    log.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn siblings_all_learn_of_the_end() {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn has_children(log: Log) {
        for _ in 0..8 {
            let log = Log::new(log.try_clone().unwrap());
            mp::spawn(chain, (log, 0, false)).unwrap().detach();
        }
        drop(log);
        wait_for_ever();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let child = mp::spawn(has_children, (Log::new(writer.into()),)).unwrap();
    let mut lines = BufReader::new(reader).lines();
    for _ in 0..8 {
        lines.next().unwrap().unwrap();
    }
    child.kill().unwrap();
    child.join().unwrap_err();
    assert!(lines.next().is_none(), "the pipe ends with the last of them");
}

#[test]
fn the_children_of_a_copy_end_with_the_copy() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn forks(log: Log) {
        mp::spawn(super::support::increment, (1,)).unwrap().join().unwrap(); // there is a lifeline to be copied
        #[expect(unsafe_code, reason = "a fork without exec, as a C library might do one")]
        // SAFETY: this process has one thread.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                mp::spawn(chain, (log, 0, false)).unwrap().detach();
                nix::sys::signal::raise(nix::sys::signal::SIGKILL).unwrap();
            }
            nix::unistd::ForkResult::Parent { .. } => drop(log),
        }
        wait_for_ever();
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let original = mp::spawn(forks, (Log::new(writer.into()),))?;
    reader.read_to_end(&mut Vec::new()).unwrap();
    assert!(original.is_alive());
    original.kill()
}

#[test]
fn a_child_can_watch_its_parent() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn watches(log: Log) {
        let parent = mp::parent_process().unwrap();
        assert!(parent.is_alive().unwrap());
        assert!(!parent.join_timeout(Duration::from_millis(1)).unwrap());
        nix::unistd::write(&log, b"alive\n").unwrap();
        let mut fds = [nix::poll::PollFd::new(parent.as_fd(), nix::poll::PollFlags::POLLIN)];
        nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE).unwrap();
        parent.join().unwrap();
        assert!(!parent.is_alive().unwrap());
        nix::unistd::write(&log, format!("{} has ended\n", parent.name()).as_bytes()).unwrap();
    }
    #[mp::process_target]
    fn has_children(log: Log) {
        let builder = mp::Process::new(watches, (log,)).on_parent_death(mp::OnParentDeath::Continue);
        builder.start().unwrap().detach();
        wait_for_ever();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let child = mp::Process::new(has_children, (Log::new(writer.into()),)).name("short-lived").start()?;
    let mut lines = BufReader::new(reader).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "alive");
    child.kill()?;
    assert_eq!(lines.next().unwrap().unwrap(), "short-lived has ended");
    assert!(lines.next().is_none());
    Ok(())
}

#[test]
fn termination_can_be_handled() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn handles(log: Log) {
        use nix::sys::signal::{SigSet, Signal};
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.thread_block().unwrap();
        nix::unistd::write(&log, b"ready\n").unwrap();
        assert_eq!(set.wait().unwrap(), Signal::SIGTERM);
        nix::unistd::write(&log, b"tidied\n").unwrap();
    }
    #[mp::process_target]
    fn has_children(log: Log) {
        let builder = mp::Process::new(handles, (log,)).on_parent_death(mp::OnParentDeath::Terminate);
        builder.start().unwrap().detach();
        wait_for_ever();
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let child = mp::spawn(has_children, (Log::new(writer.into()),))?;
    let mut lines = BufReader::new(reader).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    child.kill()?;
    assert_eq!(lines.next().unwrap().unwrap(), "tidied");
    Ok(())
}

#[test]
fn a_tree_without_end_meets_a_limit() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn recurse() -> (u32, String) {
        match mp::spawn(recurse, ()) {
            Ok(child) => child.join().unwrap(),
            Err(error) => (mp::current_process().depth(), error.to_string()),
        }
    }
    let (depth, error) = mp::spawn(recurse, ())?.join()?;
    assert_eq!(depth, 64);
    assert!(error.contains("64 processes below the first one"), "{error}");
    Ok(())
}
