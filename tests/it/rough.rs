//! Rough surroundings: limits, closed descriptors, debuggers, other users.

use std::{fs::File, io::Read, os::fd::OwnedFd, time::Duration};

use multiprocess as mp;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::support::{eventually, increment, owned, put_at, wait_for, wait_for_ever, watchdog};

#[mp::process_target]
fn debugs(pid: i32, attached: mp::Handle<OwnedFd>, until: mp::Handle<OwnedFd>) {
    #[expect(unsafe_code, reason = "nix has no ptrace without another feature")]
    // SAFETY: PTRACE_ATTACH takes a pid and ignores the other two.
    let returned = unsafe { nix::libc::ptrace(nix::libc::PTRACE_ATTACH, pid, 0, 0) };
    assert_eq!(returned, 0);
    drop(attached);
    wait_for(&until);
}

#[test]
fn a_debugger_that_holds_a_dead_child_holds_up_no_one_else() -> mp::Result<()> {
    let _watchdog = watchdog();
    let child = mp::spawn(wait_for_ever, ())?;
    let (mut attached, attached_writer) = std::io::pipe().unwrap();
    let (until, open) = super::support::gate();
    let arguments = (child.pid().cast_signed(), mp::Handle::new(attached_writer.into()), until);
    let debugger = mp::spawn(debugs, arguments)?;
    attached.read_to_end(&mut Vec::new()).unwrap();
    child.kill()?;
    // It has ended, but cannot be collected: these return all the same.
    assert!(child.join_timeout(Duration::from_millis(20)).is_none());
    assert!(child.is_alive());
    assert_eq!(mp::spawn(increment, (1,))?.join()?, 2);
    drop(open);
    debugger.join()?;
    assert!(matches!(child.join(), Err(mp::JoinError::Killed(_))));
    Ok(())
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_no_death() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn large() -> Vec<u8> {
        vec![1; 1 << 20]
    }
    #[mp::process_target]
    fn length(data: Vec<u8>) -> usize {
        data.len()
    }
    #[mp::process_target]
    fn limited() -> (String, String) {
        setrlimit(Resource::RLIMIT_FSIZE, 4096, 4096).unwrap();
        let argument = mp::spawn(length, (vec![1; 1 << 20],)).unwrap_err();
        let result = mp::spawn(large, ()).unwrap().join().unwrap_err();
        (argument.to_string(), result.to_string())
    }
    let (argument, result) = mp::spawn(limited, ())?.join()?;
    assert!(argument.contains("RLIMIT_FSIZE") && result.contains("RLIMIT_FSIZE"), "{argument} {result}");
    Ok(())
}

#[test]
fn a_full_table_of_descriptors_loses_no_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn large() -> Vec<u8> {
        vec![1; 1 << 20]
    }
    #[mp::process_target]
    fn asks_at_the_wrong_moment() -> (bool, usize) {
        let child = mp::spawn(large, ()).unwrap();
        eventually("its end", || !super::support::is_running(child.pid()));
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let mut files: Vec<File> = Vec::new();
        setrlimit(Resource::RLIMIT_NOFILE, 30, hard).unwrap();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        let refused =
            matches!(child.try_join(), Some(Err(mp::JoinError::Wait(_, error))) if error.raw_os_error() == Some(24));
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        drop(files);
        (refused, child.join().unwrap().len())
    }
    assert_eq!(mp::spawn(asks_at_the_wrong_moment, ())?.join()?, (true, 1 << 20));
    Ok(())
}

#[test]
fn one_closed_stream_is_dev_null_in_a_child_and_nothing_of_ours_takes_its_place() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn streams() -> Vec<String> {
        owned().fds
    }
    #[mp::process_target]
    fn without(number: i32) -> (Vec<String>, Vec<String>) {
        nix::unistd::close(number).unwrap();
        let child = mp::spawn(streams, ()).unwrap();
        let ours = owned().fds;
        (ours, child.join().unwrap())
    }
    for number in 0..3 {
        let (ours, childs) = mp::spawn(without, (number,))?.join()?;
        assert!(!ours.iter().any(|fd| fd.starts_with(&format!("{number} "))), "{number}: {ours:?}");
        assert!(childs.contains(&format!("{number} /dev/null")), "{number}: {childs:?}");
        assert_eq!(childs.len(), 5, "{number}: {childs:?}");
    }
    Ok(())
}

#[test]
fn a_child_may_redirect_its_streams_and_still_ends_with_its_parent() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn redirects(log: mp::Handle<OwnedFd>) {
        put_at(&log, 1);
        std::mem::forget(log);
        wait_for_ever();
    }
    #[mp::process_target]
    fn without_stdout(log: mp::Handle<OwnedFd>) {
        nix::unistd::close(1).unwrap();
        mp::spawn(redirects, (log,)).unwrap().detach();
        wait_for_ever();
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    let child = mp::spawn(without_stdout, (mp::Handle::new(writer.into()),))?;
    eventually("the grandchild", || {
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.pid()))
            .is_ok_and(|children| !children.is_empty())
    });
    child.kill()?;
    reader.read_to_end(&mut Vec::new()).unwrap();
    Ok(())
}

#[test]
fn a_process_that_gives_up_its_rights_still_starts_children() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn gives_up() -> u64 {
        let first = mp::spawn(increment, (1,)).unwrap().join().unwrap();
        #[expect(unsafe_code, reason = "nix has no setuid without another feature")]
        // SAFETY: takes an integer.
        let returned = unsafe { nix::libc::setuid(65534) };
        if returned != 0 {
            return 5; // not root
        }
        first + mp::spawn(increment, (2,)).unwrap().join().unwrap()
    }
    assert_eq!(mp::spawn(gives_up, ())?.join()?, 5);
    Ok(())
}
