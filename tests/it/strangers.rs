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
        [&frame(16, 0, 0, (0, 2), b"\x01x")[..], &[0; 100_000]].concat(), // right, but for its length
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

#[test]
fn an_error_says_what_is_wrong() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (stranger, receiver) = mp::channel::<String>()?;
    let other_version = b"mp\0\x02\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for (lie, words) in [
        (vec![0], "shorter than its header"),
        (vec![0xff; 200], "no message of this library"),
        (other_version, "speaks version 2 of the protocol, this one 1"),
        (frame(16, 0, 0, (0, 9), b"x"), "a body of 9 bytes is announced and 1 came"),
        (frame(16, 0, 3, (0, 0), b""), "3 descriptors are announced and 0 came"),
        (frame(3, 0, 0, (0, 1), b"\x05"), "it is no value"),
    ] {
        say(&stranger, &lie);
        let error = receiver.recv().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
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
fn an_empty_block_in_many_parts_does_no_harm() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (stranger, receiver) = mp::channel::<Vec<u8>>()?;
    let memfd = nix::sys::memfd::memfd_create(c"x", nix::sys::memfd::MFdFlags::MFD_ALLOW_SEALING).unwrap();
    for parts in 0..5_u8 {
        let body = [&[0xfd][..], &(1_u64 << 63).to_le_bytes(), &[0, parts], &vec![0; parts.into()]].concat();
        for kind in [16, 17] {
            for flags in [0, 0x10] {
                let message = frame(kind, flags, u16::from(flags == 0), (0, body.len() as u64), &body);
                say_with(&stranger, &message, &[&memfd]);
                assert!(!receiver.recv().is_ok_and(|bytes| !bytes.is_empty()));
                say_with(&stranger, &message, &[&memfd]);
                assert!(!receiver.recv_bytes().is_ok_and(|bytes| !bytes.is_empty()));
            }
        }
    }
    Ok(())
}

#[test]
fn an_empty_message_hides_none_behind_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (stranger, receiver) = mp::channel::<u8>()?;
    say(&stranger, b"");
    stranger.send(&7)?;
    drop(stranger);
    let seen: Vec<_> = receiver.iter().map(|message| message.ok()).collect();
    assert_eq!(seen, [None, Some(7)]);
    Ok(())
}

#[test]
fn elements_without_content_are_few_in_all_of_a_message() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<Vec<Vec<()>>>()?;
    sender.send(&vec![vec![(); 10_000]; 6])?;
    assert_eq!(receiver.recv()?.len(), 6);
    let error = sender.send(&vec![vec![(); 10_000]; 7]).unwrap_err();
    assert!(error.to_string().contains("have no content"), "{error}");
    let count = [0xfb, 0xff, 0xff]; // 65535
    let body = [&[20][..], &count.repeat(20)].concat();
    say(&sender, &frame(16, 0, 0, (0, body.len() as u64), &body));
    assert!(matches!(receiver.recv(), Err(RecvError::Undecodable(_))));
    Ok(())
}

/// Whoever made a socket may have asked the kernel for more than messages.
#[mp::process_target]
fn is_handed_a_strange_end() -> bool {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt};
    let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    setsockopt(&other, sockopt::PassCred, &true).unwrap();
    let set = |socket: &dyn AsFd, name: i32, value: i32| {
        let (socket, size) = (socket.as_fd().as_raw_fd(), size_of::<i32>() as u32);
        #[expect(unsafe_code, reason = "nix does not have these options")]
        // SAFETY: the value is there, and as long as said.
        let set =
            unsafe { nix::libc::setsockopt(socket, nix::libc::SOL_SOCKET, name, (&raw const value).cast(), size) };
        set == 0
    };
    assert!(set(&other, nix::libc::SO_PEEK_OFF, 1000));
    let (to, from) = mp::channel::<mp::Handle<OwnedFd>>().unwrap();
    to.send(&one.into()).unwrap();
    to.send(&other.into()).unwrap();
    let (stranger, strange) = (from.recv().unwrap().into_inner(), from.recv().unwrap());
    let receiver: mp::Receiver<mp::Handle<OwnedFd>> = super::messages::retyped(strange).unwrap();
    let message = frame(16, 0, 1, (0, 1), b"\0");
    let once = || {
        say_with(&stranger, &message, &[&from]);
        receiver.recv().unwrap();
    };
    once();
    set(&receiver, 76, 1); // SO_PASSPIDFD, where the kernel has it: also while it is in use
    let before = owned();
    (0..20).for_each(|_| once());
    before == owned()
}

#[test]
fn options_of_a_socket_from_elsewhere_do_no_harm() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(is_handed_a_strange_end, ())?.join()?);
    Ok(())
}

#[test]
fn a_stranger_does_not_choose_how_long_a_close_takes() -> Result<(), Box<dyn std::error::Error>> {
    use nix::sys::socket::{setsockopt, sockopt};
    let _watchdog = watchdog();
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let lingers = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (_peer, _) = listener.accept()?; // which reads nothing
    lingers.set_nonblocking(true)?;
    while std::io::Write::write(&mut &lingers, &[0; 100_000]).is_ok() {}
    setsockopt(&lingers, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 600 })?;
    let (stranger, receiver) = mp::channel::<u8>()?;
    say_with(&stranger, b"what is this", &[&lingers]);
    say_with(&stranger, &frame(16, 0x11, 0, (0, 1), b""), &[&lingers]);
    drop(lingers);
    for _ in 0..2 {
        assert!(matches!(receiver.recv(), Err(RecvError::Undecodable(_)))); // the watchdog is shorter
    }
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
