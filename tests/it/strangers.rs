//! Peers that do not speak our language, on a socket that users hold: an error each, and the next message comes.

use std::{
    io::IoSlice,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use multiprocess::{self as mp, RecvError};
use nix::sys::socket::{ControlMessage, MsgFlags, Shutdown, send, sendmsg, shutdown};

use super::support::{frame, owned, watchdog};

fn say(to: impl AsFd, bytes: &[u8]) {
    send(to.as_fd().as_raw_fd(), bytes, MsgFlags::empty()).unwrap();
}

fn say_with(to: impl AsFd, bytes: &[u8], fds: &[&dyn AsFd]) {
    let raw: Vec<_> = fds.iter().map(|fd| fd.as_fd().as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(to.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], &rights, MsgFlags::empty(), None).unwrap();
}

/// Messages that are none, or lie.
fn lies() -> Vec<Vec<u8>> {
    vec![
        vec![],
        vec![0],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 200],
        vec![b'm'; 100_000],
        b"mp\0\x02\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        frame(16, 0, 0, (0, 9), b"x"),
        frame(16, 0, 3, (0, 0), b""),
        frame(16, 0x11, 0, (0, 4), b""),
        frame(16, 1, 0, (0, u64::MAX), b""),
        frame(16, 0xf0, 0, (0, 0), b""),
        frame(3, 0, 0, (0, 1), b"\x05"),
        frame(17, 0, 0, (0, 1), b"\x05"),
        frame(16, 0, 0, (0, 2), b"\x05\x05"),
        frame(16, 0, 0, (0, 9), &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f]),
    ]
}

#[mp::process_target]
fn hears_lies() -> (bool, usize) {
    let hear = || {
        let (stranger, receiver) = mp::channel::<String>().unwrap();
        let errors = lies().into_iter().filter(|lie| {
            say(&stranger, lie);
            stranger.send(&"a word".to_owned()).unwrap();
            let error = receiver.recv().unwrap_err();
            assert!(matches!(error, RecvError::Undecodable(_)), "{lie:?}: {error}");
            receiver.recv().unwrap() == "a word"
        });
        errors.count()
    };
    hear();
    let before = owned();
    let heard = hear();
    (before == owned(), heard)
}

#[test]
fn a_lie_is_an_error_and_the_truth_still_comes() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(hears_lies, ())?.join()?, (true, lies().len()));
    Ok(())
}

#[mp::process_target]
fn hears_lies_with_descriptors() -> bool {
    let (pipe, writer) = std::io::pipe().unwrap();
    let unsealed = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::MFD_ALLOW_SEALING).unwrap();
    nix::unistd::ftruncate(&unsealed, 1 << 40).unwrap();
    let many: Vec<OwnedFd> = (0..253).map(|_| writer.as_fd().try_clone_to_owned().unwrap()).collect();
    let all: Vec<&dyn AsFd> = many.iter().map(|fd| fd as &dyn AsFd).collect();
    let hear = || {
        let (stranger, receiver) = mp::channel::<mp::Handle<OwnedFd>>().unwrap();
        // Of a pipe that is no memory, of memory that may still change, of more than was announced.
        say_with(&stranger, &frame(16, 0x11, 0, (0, 1), b""), &[&writer]);
        say_with(&stranger, &frame(16, 0x11, 0, (0, 1), b""), &[&unsealed]);
        say_with(&stranger, &frame(16, 0, 1, (0, 1), b"\0"), &[&writer, &writer]);
        say_with(&stranger, &frame(16, 0, 253, (0, 3), b"\xfb\xfd\0"), &all); // the 254th
        say_with(&stranger, &frame(16, 0, 253, (0, 2), b"\0\0"), &all);
        say_with(&stranger, b"", &[&writer]);
        say_with(&stranger, b"hello", &all);
        for _ in 0..7 {
            assert!(matches!(receiver.recv(), Err(RecvError::Undecodable(_))));
        }
        say_with(&stranger, &frame(16, 0, 1, (0, 1), b"\0"), &[&writer]);
        receiver.recv().unwrap();
    };
    hear();
    let before = owned();
    hear();
    let after = owned();
    drop(pipe);
    before == after
}

#[test]
fn descriptors_that_come_with_a_lie_are_closed() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(hears_lies_with_descriptors, ())?.join()?);
    Ok(())
}

#[test]
fn half_a_shutdown_is_the_end_of_that_half() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (ours, theirs) = mp::pipe::<u8, u8>()?;
    theirs.send(&1)?;
    shutdown(theirs.as_fd().as_raw_fd(), Shutdown::Write).unwrap();
    assert_eq!(ours.recv()?, 1);
    assert!(matches!(ours.recv(), Err(RecvError::Disconnected)));
    assert!(matches!(theirs.send(&2), Err(mp::SendError::Disconnected)));
    ours.send(&3)?;
    assert_eq!(theirs.recv()?, 3);
    Ok(())
}
