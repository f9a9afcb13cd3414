//! Lies on the control socket, from both sides.

use std::{
    io::{IoSlice, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Command, Stdio},
};

use multiprocess as mp;
use nix::{
    fcntl::FcntlArg,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, send, sendmsg, setsockopt, socketpair,
        sockopt,
    },
};

use super::support::{frame, increment, owned, put_number_at, watchdog};

/// The control socket's number in a child.
const CONTROL: i32 = 3;

/// Frames that are none, or are at odds with themselves.
fn lies() -> Vec<Vec<u8>> {
    let empty = |kind: u8, flags: u8, fds: u16| frame(kind, flags, fds, (0, 0), b"");
    let inline = |kind: u8, body: &[u8]| frame(kind, 0, 0, (0, body.len() as u64), body);
    vec![
        vec![0],
        b"mp".to_vec(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 200],
        vec![0; 24],
        b"mp\0\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), // another version
        empty(3, 0, 1),                                                 // a descriptor that is not there
        empty(3, 0x10, 0),                                              // a memfd that is not there
        frame(3, 1, 0, (0, u64::MAX), b""),                             // a body in no memfd
        frame(3, 0, 0, (0, 9), b"x"),                                   // a body that is longer than what came
        empty(3, 0xf0, 0),                                              // too many memfds
        empty(3, 2, 0),                                                 // an unknown flag
        empty(0, 0, 0),
        inline(99, b"x"),
        inline(3, &[0xff; 9]), // a count beyond everything
        inline(4, &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f]), // a text of 2^62 bytes
        inline(5, &[2, 0xff, 0xff]), // a text that is no UTF-8
        inline(3, &vec![7; 65_512]),
        vec![b'm'; 100_000],
    ]
}

#[mp::process_target]
fn sends_instead(lie: Vec<u8>) -> Vec<u32> {
    send(CONTROL, &lie, MsgFlags::empty()).unwrap();
    std::process::exit(0)
}

#[mp::process_target]
fn hears_lies() -> (bool, Vec<String>) {
    let hear = |lie: &Vec<u8>| mp::spawn(sends_instead, (lie.clone(),)).unwrap().join().unwrap_err();
    let errors: Vec<_> = lies().iter().map(|lie| hear(lie).to_string()).collect();
    let before = owned();
    lies().iter().for_each(|lie| drop(hear(lie)));
    (before == owned(), errors)
}

#[test]
fn a_parent_does_not_believe_its_child() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (nothing_left, errors) = mp::spawn(hears_lies, ())?.join()?;
    assert!(nothing_left);
    assert_eq!(errors.len(), lies().len());
    for error in &errors {
        assert!(error.contains("was lost") || error.contains("did not run"), "{error}");
    }
    Ok(())
}

#[test]
fn a_second_result_is_no_result() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn says_twice() -> u8 {
        send(CONTROL, &frame(3, 0, 0, (0, 1), &[9]), MsgFlags::empty()).unwrap();
        5
    }
    let error = mp::spawn(says_twice, ())?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Undecodable(..)), "{error}");
    Ok(())
}

#[test]
fn memory_that_could_still_change_is_refused() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn sends_unsealed() -> Vec<u8> {
        let memfd = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::empty()).unwrap();
        nix::unistd::ftruncate(&memfd, 100).unwrap();
        let frame = frame(3, 0x11, 0, (0, 100), b"");
        let fds = [memfd.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(CONTROL, &[IoSlice::new(&frame)], &rights, MsgFlags::empty(), None).unwrap();
        std::process::exit(0)
    }
    let error = mp::spawn(sends_unsealed, ())?.join().unwrap_err();
    assert!(error.to_string().contains("not sealed"), "{error}");
    Ok(())
}

#[test]
fn memory_that_is_all_holes_is_refused() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn sends_holes() -> Vec<u8> {
        use nix::{
            fcntl::{FcntlArg, SealFlag, fcntl},
            sys::memfd::{MFdFlags, memfd_create},
        };
        let memfd = memfd_create(c"x", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        nix::unistd::ftruncate(&memfd, 1 << 46).unwrap();
        fcntl(&memfd, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_truncate(0xf))).unwrap();
        // A block of 2^46 bytes in one part at 0.
        let body = [&[0xfd][..], &(1_u64 << 63 | 1 << 46).to_le_bytes(), &[0, 1, 0]].concat();
        let frame = frame(3, 0x10, 0, (0, body.len() as u64), &body);
        let fds = [memfd.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(CONTROL, &[IoSlice::new(&frame)], &rights, MsgFlags::empty(), None).unwrap();
        std::process::exit(0)
    }
    let error = mp::spawn(sends_holes, ())?.join().unwrap_err();
    assert!(error.to_string().contains("has holes"), "{error}");
    Ok(())
}

/// Starts this program as if it were a child, with any socket and anything on it.
fn as_child(control: Option<OwnedFd>, mark: &str) -> (Option<i32>, String) {
    let (lifeline, _held) = std::io::pipe().unwrap();
    let lifeline = OwnedFd::from(lifeline);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("MULTIPROCESS_CHILD", mark).stdout(Stdio::null()).stderr(Stdio::piped());
    #[expect(unsafe_code, reason = "descriptors at fixed numbers, as a parent leaves them")]
    // SAFETY: what the closure calls, `fcntl`, `dup2` and `close`, is async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            let copy = |fd: &OwnedFd| nix::fcntl::fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(100)).unwrap();
            let copies = [control.as_ref().map(copy), Some(copy(&lifeline))];
            for (copy, number) in copies.into_iter().zip([CONTROL, CONTROL + 1]) {
                nix::unistd::close(number).ok();
                if let Some(copy) = copy {
                    put_number_at(copy, number);
                }
            }
            Ok(())
        })
    };
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_child_does_not_believe_just_anyone() {
    let _watchdog = watchdog();
    let pair = |kind| socketpair(AddressFamily::Unix, kind, None, SockFlag::empty()).unwrap();
    // Nothing there, no socket, the wrong kind of socket: not ours, and `main` does not run either.
    let (code, text) = as_child(None, "1");
    assert_eq!(code, Some(76), "{text}");
    assert!(text.contains("was not started by `multiprocess`"), "{text}");
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    assert_eq!(as_child(Some(file), "1").0, Some(76));
    let (_ours, theirs) = pair(SockType::Stream);
    assert_eq!(as_child(Some(theirs), "1").0, Some(76));
    // A silent peer, and one that is gone: an error at once, no wait.
    let (ours, theirs) = pair(SockType::SeqPacket);
    assert_eq!(as_child(Some(theirs), "1").0, Some(1));
    let mut answer = [0; 1000];
    let length = recv(ours.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).contains("no preparation"));
    let (ours, theirs) = pair(SockType::SeqPacket);
    drop(ours);
    assert_eq!(as_child(Some(theirs), "1"), (Some(1), String::new()), "nobody is left to tell, nothing is wrong");
}

#[test]
fn a_child_answers_lies_with_a_refusal() {
    let _watchdog = watchdog();
    for lie in lies() {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty()).unwrap();
        setsockopt(&ours, sockopt::SndBuf, &1_000_000).unwrap();
        let mut lie = lie;
        if lie.get(4) == Some(&3) {
            lie[4] = 1; // the same as a preparation
        }
        send(ours.as_raw_fd(), &lie, MsgFlags::empty()).unwrap();
        let (code, text) = as_child(Some(theirs), "1");
        assert_eq!(code, Some(1), "{lie:?} {text}");
        let mut answer = [0; 1000];
        let length = recv(ours.as_raw_fd(), &mut answer, MsgFlags::MSG_DONTWAIT).unwrap();
        assert_eq!(&answer[..5], b"mp\0\x01\x05", "a refusal");
        assert!(length > 24);
    }
}

#[test]
fn the_mark_does_not_leak_into_a_childs_own_programs() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn runs_a_program() -> String {
        let mut output = Command::new("env").stdout(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        output.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        output.wait().unwrap();
        text
    }
    assert!(!mp::spawn(runs_a_program, ())?.join()?.contains("MULTIPROCESS_CHILD"));
    assert_eq!(mp::spawn(increment, (1,))?.join()?, 2);
    Ok(())
}
