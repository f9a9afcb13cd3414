//! Every way in which a child can end without a result, told apart.

use std::{fs, io::Read, time::Duration};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::support::{wait_for_ever, watchdog};

/// A process that is about to end badly should not litter the machine with core dumps.
fn quiet<F: mp::Target>(target: F, args: F::Args) -> mp::Result<mp::Process<F::Output>> {
    mp::Process::new(target, args).stderr(mp::Stdio::null()).start()
}

const PANIC_LINE: u32 = line!() + 4;

#[mp::process_target]
fn panics(text: String) -> u8 {
    panic!("{text}")
}

#[test]
fn a_panic_comes_back_with_message_place_and_backtrace() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut stderr, writer) = std::io::pipe().unwrap();
    let line = PANIC_LINE;
    let child = mp::Process::new(panics, ("the reason".into(),))
        .name("bad")
        .env("RUST_BACKTRACE", "1")
        .stderr(writer)
        .start()?;
    let error = child.join().unwrap_err();
    let mp::JoinError::Panicked(ended, panic) = &error else { panic!("{error:?}") };
    assert_eq!((ended.name(), ended.pid(), ended.code()), ("bad", child.pid(), Some(101)));
    assert_eq!(panic.message(), "the reason");
    assert_eq!(panic.location().map(|at| (at.0, at.1)), Some((file!(), line)));
    assert!(panic.backtrace().unwrap().contains("panics"), "{:?}", panic.backtrace());
    assert!(error.to_string().contains("process 'bad'") && error.to_string().contains("the reason"), "{error}");

    let mut printed = String::new();
    stderr.read_to_string(&mut printed).unwrap();
    let start = format!("process 'bad' (pid {}) panicked at {}:{line}:", child.pid(), file!());
    assert!(printed.starts_with(&start) && printed.contains("\nthe reason\nstack backtrace:\n"), "{printed}");
    Ok(())
}

#[test]
fn a_backtrace_can_be_declined() -> mp::Result<()> {
    let _watchdog = watchdog();
    let start = |value: Option<&str>| {
        let child = mp::Process::new(panics, ("x".into(),)).stderr(mp::Stdio::null()).env_remove("RUST_BACKTRACE");
        let child = if let Some(value) = value { child.env("RUST_BACKTRACE", value) } else { child };
        child.start().unwrap().join().unwrap_err().panic().unwrap().backtrace().map(str::to_owned)
    };
    assert!(start(Some("0")).is_none());
    assert!(start(None).is_some());
    Ok(())
}

#[test]
fn a_panic_is_one_write() -> mp::Result<()> {
    let _watchdog = watchdog();
    // A SEQPACKET socket shows where one write ends.
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let child = mp::Process::new(panics, ("one\ntwo".into(),)).env("RUST_BACKTRACE", "0").stderr(theirs).start()?;
    child.join().unwrap_err();
    let mut text = [0; 1000];
    let length = nix::unistd::read(&ours, &mut text).unwrap();
    assert!(text[..length].ends_with(b":\none\ntwo\n"));
    assert_eq!(nix::unistd::read(&ours, &mut text), Ok(0));
    Ok(())
}

#[test]
fn odd_panics_come_back_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn odd(kind: u8) {
        match kind {
            0 => std::panic::panic_any(7_u32),
            1 => std::panic::resume_unwind(Box::new("resumed".to_owned())),
            2 => {
                std::panic::set_hook(Box::new(|_| ()));
                panic!("without our hook")
            }
            5 => {
                struct Bomb;
                impl Drop for Bomb {
                    fn drop(&mut self) {
                        panic!("a payload that panics when dropped");
                    }
                }
                std::panic::panic_any(Bomb)
            }
            3 => {
                std::panic::catch_unwind(|| panic!("first")).ok();
                std::panic::resume_unwind(Box::new("second".to_owned()))
            }
            _ => std::thread::spawn(|| panic!("in a thread")).join().unwrap_or_else(|e| std::panic::resume_unwind(e)),
        }
    }
    let no_text = "a payload that is no text";
    let messages = [no_text, "resumed", "without our hook", "second", "in a thread", no_text];
    for (kind, message) in (0..).zip(messages) {
        let error = quiet(odd, (kind,))?.join().unwrap_err();
        assert_eq!(error.panic().map(mp::Panic::message), Some(message), "{error}");
    }
    Ok(())
}

#[test]
fn a_caught_panic_is_no_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn catches() -> bool {
        std::panic::catch_unwind(|| panic!("caught")).is_err()
    }
    assert!(quiet(catches, ())?.join()?);
    Ok(())
}

#[test]
fn an_exit_is_no_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn exits(code: i32) -> ! {
        std::process::exit(code)
    }
    for code in [0, 1, 42, 255] {
        let error = mp::spawn(exits, (code,))?.join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Exited(_)), "{error:?}");
        assert_eq!((error.ended().code(), error.ended().signal()), (Some(code), None));
    }
    Ok(())
}

#[mp::process_target]
fn dies(how: u8) -> u64 {
    #[expect(unconditional_recursion, reason = "that is the way to use up a stack")]
    fn deeper(n: u64) -> u64 {
        let block = std::hint::black_box([n; 64]);
        deeper(n + 1) + block[7]
    }
    #[expect(unsafe_code, reason = "the fault is what is wanted")]
    match how {
        0 => std::process::abort(),
        // SAFETY: none; the process is to end by SIGSEGV, in foreign code.
        1 => unsafe { nix::libc::strlen(std::hint::black_box(std::ptr::null())) as u64 },
        2 => deeper(0),
        _ => std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>()),
    }
}

#[test]
fn crashes_are_told_apart() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(matches!(quiet(dies, (0,))?.join(), Err(mp::JoinError::Aborted(ended)) if ended.signal() == Some(6)));
    assert!(matches!(quiet(dies, (1,))?.join(), Err(mp::JoinError::Killed(ended)) if ended.signal() == Some(11)));
    assert!(
        matches!(quiet(dies, (2,))?.join(), Err(mp::JoinError::StackOverflow(ended)) if ended.signal() == Some(11))
    );
    assert!(matches!(quiet(dies, (3,))?.join(), Err(mp::JoinError::Aborted(_))));
    Ok(())
}

#[test]
fn a_stack_overflow_names_its_process_on_stderr() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut stderr, writer) = std::io::pipe().unwrap();
    let child = mp::Process::new(dies, (2,)).name("deep").stderr(writer).start()?;
    child.join().unwrap_err();
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    assert!(text.contains("process 'deep'") && text.contains("ends::dies"), "{text}");
    Ok(())
}

#[test]
fn a_panic_while_panicking_aborts() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn twice() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("second");
            }
        }
        let _bomb = Bomb;
        panic!("first");
    }
    assert!(matches!(quiet(twice, ())?.join(), Err(mp::JoinError::Aborted(_))));
    Ok(())
}

/// Needs a memory cgroup that may be made here: version 1 or 2, and root.
struct Cgroup(std::path::PathBuf);

impl Cgroup {
    fn with_limit(bytes: u64) -> Option<Self> {
        let name = format!("multiprocess-test-{}", std::process::id());
        for (root, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = std::path::Path::new(root).join(&name);
            if fs::create_dir(&group).is_ok() {
                let group = Self(group);
                if fs::write(group.0.join(limit), bytes.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        None
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn an_out_of_memory_kill_is_told_from_any_other() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn eats(group: std::path::PathBuf) -> usize {
        fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
        let mut kept = Vec::new();
        loop {
            kept.push(vec![1_u8; 1 << 20]);
            std::hint::black_box(&kept);
        }
    }
    let Some(group) = Cgroup::with_limit(64 << 20) else {
        println!("no memory cgroup can be made here: the kernel cannot be asked for an out-of-memory kill");
        return Ok(());
    };
    let error = quiet(eats, (group.0.clone(),))?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::OutOfMemory(_)), "{error}");
    // One that we send is ours, even now.
    let child = mp::spawn(wait_for_ever, ())?;
    child.kill()?;
    assert!(matches!(child.join(), Err(mp::JoinError::Killed(_))));
    Ok(())
}

#[test]
fn a_result_that_was_sent_counts() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn dies_at_exit() -> u8 {
        mp::at_exit(|| std::process::abort()).unwrap();
        5
    }
    let child = quiet(dies_at_exit, ())?;
    assert_eq!(child.join()?, 5);
    assert_eq!(child.exit_status().unwrap().signal(), Some(6));
    Ok(())
}

#[test]
fn a_status_that_someone_else_collects_is_an_error_and_no_hang() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn loses_a_status() -> (bool, u64) {
        use nix::sys::wait::{Id, WaitPidFlag, waitid};
        let child = mp::spawn(wait_for_ever, ()).unwrap();
        child.kill().unwrap();
        waitid(Id::All, WaitPidFlag::WEXITED).unwrap();
        let lost = matches!(child.join(), Err(mp::JoinError::Lost(_))) && child.exit_status().is_none();
        // A result outlives its status.
        let child = mp::spawn(super::support::increment, (1,)).unwrap();
        waitid(Id::All, WaitPidFlag::WEXITED).unwrap();
        (lost, child.join().unwrap())
    }
    assert_eq!(mp::spawn(loses_a_status, ())?.join()?, (true, 2));
    Ok(())
}

#[derive(Debug)]
struct Stubborn;

impl Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("will not be written"))
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[derive(Debug, Serialize)]
struct Unreadable(u8);

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer)?;
        Err(serde::de::Error::custom("will not be read"))
    }
}

#[test]
fn values_that_do_not_encode_or_decode_are_errors_of_whoever_asked() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn takes_stubborn(_: Stubborn) {}
    #[mp::process_target]
    fn takes_unreadable(_: Unreadable) {}
    #[mp::process_target]
    fn gives_stubborn() -> Stubborn {
        Stubborn
    }
    #[mp::process_target]
    fn gives_unreadable() -> Unreadable {
        Unreadable(1)
    }
    let error = mp::spawn(takes_stubborn, (Stubborn,)).unwrap_err();
    assert!(error.is_encode() && error.to_string().contains("will not be written"), "{error}");
    assert!(error.to_string().contains("takes_stubborn"), "{error}");

    let error = mp::spawn(takes_unreadable, (Unreadable(1),))?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Refused(..)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("will not be read") && text.contains("takes_unreadable") && text.contains("Unreadable"),
        "{text}"
    );

    let error = mp::spawn(gives_stubborn, ())?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Undecodable(..)), "{error}");
    assert!(error.to_string().contains("will not be written"), "{error}");

    let child = mp::spawn(gives_unreadable, ())?;
    for _ in 0..2 {
        let error = child.join().unwrap_err();
        assert!(
            matches!(error, mp::JoinError::Undecodable(..)) && error.to_string().contains("will not be read"),
            "{error}"
        );
    }
    Ok(())
}

#[test]
fn a_deadline_ends_what_a_thread_could_not() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn spins() {
        loop {
            std::hint::spin_loop();
        }
    }
    let child = mp::spawn(spins, ())?;
    assert!(child.join_timeout(Duration::from_millis(10)).is_none());
    child.kill()?;
    assert!(matches!(child.join(), Err(mp::JoinError::Killed(ended)) if ended.signal() == Some(9)));
    assert!(child.rusage().unwrap().user_time() > Duration::ZERO);
    Ok(())
}

#[test]
fn our_own_error_may_be_a_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn fails() -> mp::Result<u8> {
        mp::Process::new(panics, (String::new(),)).executable("/no/such").start()?.detach();
        Ok(1)
    }
    let error = mp::spawn(fails, ())?.join()?.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(2));
    assert!(error.to_string().ends_with("execute /no/such: No such file or directory (os error 2)"), "{error}");
    Ok(())
}

#[test]
fn join_errors_are_errors_of_the_program() {
    let _watchdog = watchdog();
    let attempt = || -> mp::Result<u8> { Ok(quiet(panics, ("why".into(),))?.join()?) };
    let error = attempt().unwrap_err();
    assert!(error.as_join_error().is_some_and(|error| error.panic().is_some()));
    // What `main` prints of an error that it returns, and no more than that: the backtrace has its own place.
    let text = error.to_string();
    assert!(text.ends_with(": why") && format!("{error:?}") == text, "{error:?}");
    let join = error.as_join_error().unwrap();
    assert_eq!(format!("{join:?}"), text);
}
