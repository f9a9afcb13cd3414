//! Connections and channels, row by row: what is sent, what is received, and every way in which it can fail.

use std::{
    panic::{RefUnwindSafe, UnwindSafe},
    time::{Duration, Instant},
};

use multiprocess::{self as mp, RecvError, SendError};
use nix::sys::socket::{setsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::support::{eventually, is_waiting, watchdog};

const SHORT: Duration = Duration::from_millis(30);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Question {
    Length(String),
    Sum { of: Vec<u32> },
    Nothing,
}

#[test]
fn typed_messages_go_both_ways() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn answers(questions: mp::Connection<u64, Question>) -> mp::Result<usize> {
        let mut count = 0;
        for question in &questions {
            count += 1;
            questions.send(&match question? {
                Question::Length(text) => text.len() as u64,
                Question::Sum { of } => of.into_iter().map(u64::from).sum(),
                Question::Nothing => 0,
            })?;
        }
        Ok(count)
    }
    let (ours, theirs) = mp::pipe::<Question, u64>()?;
    let child = mp::spawn(answers, (theirs,))?;
    for (question, answer) in
        [(Question::Length("four".into()), 4), (Question::Sum { of: vec![1, 2, 3] }, 6), (Question::Nothing, 0)]
    {
        ours.send(&question)?;
        assert_eq!(ours.recv()?, answer);
    }
    drop(ours);
    assert_eq!(child.join()??, 3);
    Ok(())
}

#[test]
fn messages_keep_their_bounds_and_their_order() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<Vec<u8>>()?;
    let sizes = [0, 1, 63, 64, 65, 1000, 65_400, 65_535, 65_536, 65_537, 70_000, 1 << 20, 0, 17 << 20, 3];
    let message = |size: usize| (0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        scope.spawn(|| sizes.iter().for_each(|&size| sender.send(&message(size)).unwrap()));
        for size in sizes {
            assert!(receiver.recv().unwrap() == message(size), "{size}");
        }
    });
    assert!(matches!(receiver.try_recv(), Err(RecvError::TimedOut)));
    Ok(())
}

#[test]
fn what_was_sent_is_received_before_the_end() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel()?;
    for number in 0..100 {
        sender.send(&number)?;
    }
    let other = sender.clone();
    drop(sender);
    assert_eq!(receiver.recv()?, 0);
    other.send(&100)?;
    drop(other);
    assert!(receiver.poll(Some(Duration::ZERO))?);
    assert_eq!(receiver.iter().map(Result::unwrap).collect::<Vec<_>>(), (1..=100).collect::<Vec<i32>>());
    for _ in 0..3 {
        assert!(matches!(receiver.recv(), Err(RecvError::Disconnected)));
        assert!(matches!(receiver.try_recv(), Err(RecvError::Disconnected)));
        assert!(matches!(receiver.recv_timeout(SHORT), Err(RecvError::Disconnected)));
        assert!(receiver.poll(None)?, "the end is ready");
        assert!(receiver.iter().next().is_none());
    }
    Ok(())
}

#[test]
fn nobody_receives_any_more() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel()?;
    sender.send(&1)?; // which is never received
    let other = receiver.clone();
    drop(receiver);
    sender.send(&2)?;
    drop(other);
    for _ in 0..3 {
        assert!(matches!(sender.send(&3), Err(SendError::Disconnected)));
        assert!(matches!(sender.try_send(&3), Err(SendError::Disconnected)));
        assert!(matches!(sender.send_timeout(&3, SHORT), Err(SendError::Disconnected)));
        assert!(matches!(sender.send_bytes(&[3; 100_000]), Err(SendError::Disconnected)));
    }
    assert!(mp::Error::from(SendError::Disconnected).is_disconnected());
    Ok(())
}

#[test]
fn a_peer_that_leaves_our_messages_unread_takes_none_of_its_own_along() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn speaks_without_listening(connection: mp::Connection<u8, u8>) -> mp::Result<()> {
        connection.poll(None)?; // ours is there, and stays there
        (0..3).try_for_each(|number| Ok(connection.send(&number)?))
    }
    // The kernel then says ECONNRESET once, before what was sent.
    for first in ["recv", "recv_timeout", "try_send", "try_send_bytes"] {
        let (ours, theirs) = mp::pipe::<u8, u8>()?;
        ours.send(&9)?;
        mp::spawn(speaks_without_listening, (theirs,))?.join()??;
        match first {
            "recv" => {}
            "recv_timeout" => assert_eq!(ours.recv_timeout(Duration::ZERO)?, 0),
            "try_send_bytes" => {
                let error = ours.sender().try_send_bytes(&[0; 100_000]).unwrap_err();
                assert!(matches!(error, SendError::Disconnected), "{error}");
            }
            _ => assert!(matches!(ours.try_send(&1), Err(SendError::Disconnected))),
        }
        let rest: Result<Vec<_>, _> = ours.iter().collect();
        assert_eq!(rest?, if first == "recv_timeout" { vec![1, 2] } else { vec![0, 1, 2] });
    }
    Ok(())
}

#[test]
fn timeouts_wait_as_long_as_they_say() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (ours, theirs) = mp::pipe::<u8, u8>()?;
    let waited = |wait: &dyn Fn()| {
        let start = Instant::now();
        wait();
        start.elapsed()
    };
    assert!(waited(&|| assert!(matches!(ours.recv_timeout(SHORT), Err(RecvError::TimedOut)))) >= SHORT);
    assert!(waited(&|| assert!(!ours.poll(Some(SHORT)).unwrap())) >= SHORT);
    assert!(waited(&|| assert!(ours.receiver().recv_bytes_timeout(SHORT).is_err())) >= SHORT);
    assert!(!ours.poll(Some(Duration::ZERO))?);
    while ours.try_send(&1).is_ok() {}
    assert!(waited(&|| assert!(matches!(ours.send_timeout(&1, SHORT), Err(SendError::TimedOut)))) >= SHORT);
    assert!(mp::Error::from(RecvError::TimedOut).is_timed_out() && mp::Error::from(SendError::TimedOut).is_timed_out());
    // For ever, as far as the clock goes.
    std::thread::scope(|scope| {
        scope.spawn(|| theirs.send(&7).unwrap());
        assert_eq!(ours.recv_timeout(Duration::MAX).unwrap(), 7);
    });
    Ok(())
}

#[test]
fn a_send_timeout_holds_for_any_size() -> mp::Result<()> {
    let _watchdog = watchdog();
    for size in [1, 1000, 65_000, 100_000, 8 << 20] {
        let (sender, receiver) = mp::channel()?; // of which nobody receives
        let message = vec![1_u8; size];
        let mut sent = 0;
        while sender.send_timeout(&message, Duration::from_millis(2)).is_ok() {
            sent += 1;
        }
        assert!(sent > 0);
        // What waits is bounded by more than the number of messages.
        assert!(sent * size <= (24 << 20).max(4 * size), "{sent} messages of {size}");
        assert!(size < 65_536 || sent <= 34, "{sent} messages of {size}");
        // There is room again when they have gone.
        for _ in 0..sent {
            assert_eq!(receiver.recv()?.len(), size);
        }
        sender.try_send(&message)?;
    }
    Ok(())
}

#[mp::process_target]
fn fills_and_waits(to: mp::Sender<Vec<u8>>, waits: mp::Sender<()>, timeout: Duration) -> mp::Result<bool> {
    let message = vec![1_u8; 6 << 20];
    while to.try_send(&message).is_ok() {}
    waits.send(&())?;
    Ok(to.send_timeout(&message, timeout).is_ok())
}

#[test]
fn there_is_an_attempt_after_the_last_wait() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel()?;
    let (waits, it_waits) = mp::channel()?;
    let child = mp::spawn(fills_and_waits, (sender, waits, Duration::from_secs(2)))?;
    it_waits.recv()?;
    eventually("its wait", || is_waiting(child.pid()));
    // Room for one, of which the kernel does not tell who waits.
    receiver.recv()?;
    assert!(child.join()??);
    Ok(())
}

#[test]
fn a_sender_waits_for_room() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<u32>()?;
    let count = 20_000;
    std::thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|number| sender.send(&number).unwrap()));
        assert!(receiver.iter().map(Result::unwrap).eq(0..count));
    });
    Ok(())
}

#[test]
fn bytes_as_they_are() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<u32>()?;
    for size in [0, 1, 100, 65_536, 3 << 20] {
        sender.send_bytes(&vec![5; size])?;
        assert!(receiver.recv_bytes()? == vec![5; size]);
    }
    let mut buffer = [0; 100_000];
    for (size, fits) in [(0, true), (10, true), (100_000, true), (100_001, false), (3, true)] {
        sender.try_send_bytes(&vec![6; size])?;
        match receiver.recv_bytes_into(&mut buffer) {
            Ok(length) => assert!(fits && buffer[..length] == vec![6; size]),
            Err(RecvError::BufferTooShort(message)) => assert!(!fits && message == vec![6; size]),
            Err(other) => panic!("{other}"),
        }
    }
    for (size, most, fits) in [(10, 10, true), (11, 10, false), (4 << 20, 1 << 20, false), (0, 0, true)] {
        sender.send_bytes_timeout(&vec![7; size], SHORT)?;
        match receiver.recv_bytes_max(most) {
            Ok(message) => assert!(fits && message == vec![7; size]),
            Err(RecvError::TooLong(length)) => assert!(!fits && length == size),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(matches!(receiver.recv_bytes_max_timeout(10, SHORT), Err(RecvError::TimedOut)));
    assert!(matches!(receiver.recv_bytes_into_timeout(&mut buffer, SHORT), Err(RecvError::TimedOut)));
    sender.send_bytes(&[1; 50])?;
    assert!(matches!(receiver.recv_bytes_max_timeout(10, SHORT), Err(RecvError::TooLong(50))));
    sender.send_bytes(&[1; 50])?;
    assert_eq!(receiver.recv_bytes_into_timeout(&mut buffer, SHORT)?, 50);
    let (ours, theirs) = mp::pipe::<(), ()>()?;
    (0..3).try_for_each(|_| ours.send_bytes(b"as they are"))?;
    assert_eq!(theirs.recv_bytes()?, b"as they are");
    assert!(theirs.recv_bytes_max(3).is_err());
    assert_eq!(theirs.recv_bytes_into(&mut buffer)?, 11);
    assert!(mp::Error::from(RecvError::TooLong(5)).is_too_long());
    assert!(matches!(receiver.try_recv_bytes(), Err(RecvError::TimedOut)));
    Ok(())
}

#[test]
fn a_message_that_does_not_decode_is_lost_and_no_other() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[derive(Debug, Serialize)]
    struct Even(u32);
    impl<'de> Deserialize<'de> for Even {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let number = u32::deserialize(deserializer)?;
            if number % 2 == 0 { Ok(Self(number)) } else { Err(serde::de::Error::custom("an odd number")) }
        }
    }
    let (sender, receiver) = mp::channel::<Even>()?;
    sender.send(&Even(1))?;
    sender.send_bytes(b"what is this")?;
    sender.send(&Even(2))?;
    sender.send(&Even(4))?;
    let error = receiver.recv().unwrap_err();
    assert!(matches!(error, RecvError::Undecodable(_)) && error.to_string().contains("an odd number"), "{error}");
    let error = receiver.recv().unwrap_err();
    assert!(error.to_string().contains("it is no value") && error.to_string().contains("Even"), "{error}");
    assert!(mp::Error::from(error).is_decode());
    assert_eq!(receiver.recv()?.0, 2);
    let error = receiver.recv_bytes().unwrap_err();
    assert!(error.to_string().contains("it is no bytes"), "{error}");

    // The iterator goes on behind such a message, and ends at the end.
    sender.send(&Even(3))?;
    sender.send(&Even(6))?;
    drop(sender);
    let seen: Vec<_> = receiver.into_iter().map(|message| message.is_ok()).collect();
    assert_eq!(seen, [false, true]);
    Ok(())
}

#[test]
fn a_value_that_does_not_encode_is_the_senders_error() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[derive(Debug, Deserialize)]
    struct Shy;
    impl Serialize for Shy {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    let (sender, receiver) = mp::channel::<Vec<Shy>>()?;
    let error = sender.send(&vec![Shy]).unwrap_err();
    assert!(matches!(error, SendError::Unencodable(_)) && error.to_string().contains("not today"), "{error}");
    sender.send(&vec![])?;
    assert!(receiver.recv()?.is_empty(), "nothing was sent before");
    Ok(())
}

#[test]
fn a_socket_with_a_small_buffer_carries_every_message() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<(String, Vec<u64>)>()?;
    setsockopt(&sender, sockopt::SndBuf, &1).unwrap(); // the kernel makes that its minimum, 4.5 KiB
    for (text, numbers) in [(100, 10), (50_000, 0), (50_000, 5_000), (60_000, 1 << 20), (300_000, 100)] {
        let message = ("x".repeat(text), vec![u64::MAX; numbers]);
        sender.send(&message)?;
        assert!(receiver.recv()? == message);
    }
    Ok(())
}

#[test]
fn a_socket_that_someone_made_non_blocking_waits_all_the_same() -> mp::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let _watchdog = watchdog();
    let (ours, theirs) = mp::pipe::<u32, u32>()?;
    for end in [&ours, &theirs] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    }
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in &theirs {
                theirs.send(&number.unwrap()).unwrap();
            }
        });
        let sender = ours.sender().clone();
        scope.spawn(move || (0..5_000).for_each(|number| sender.send(&number).unwrap()));
        for number in 0..5_000 {
            assert_eq!(ours.recv().unwrap(), number);
        }
        drop(ours);
    });
    Ok(())
}

/// Waits in every way that there is; a handler without SA_RESTART is what makes system calls end early.
#[mp::process_target]
fn is_interrupted(ways: mp::Connection<(), u32>) -> mp::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "there is no other way to handle a signal")]
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    let mut selector = mp::Selector::new()?;
    selector.add(&ways)?;
    for way in 0..6 {
        ways.send(&())?; // it is about to wait
        let number = match way {
            0 => ways.recv()?,
            1 => ways.recv_timeout(Duration::MAX)?,
            2 => {
                assert!(ways.poll(None)?);
                ways.recv()?
            }
            3 => {
                assert_eq!(mp::wait(&[&ways], Some(Duration::from_secs(1000)))?, [0]);
                ways.recv()?
            }
            4 => {
                assert_eq!(selector.wait(None)?.len(), 1);
                ways.recv()?
            }
            _ => {
                // More than there is room for.
                (0..2_000).try_for_each(|_| ways.send(&()))?;
                ways.recv()?
            }
        };
        assert_eq!(number, way);
    }
    Ok(())
}

#[test]
fn signals_do_not_show() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (ours, theirs) = mp::pipe::<u32, ()>()?;
    let child = mp::spawn(is_interrupted, (theirs,))?;
    for way in 0..6 {
        ours.recv()?;
        for _ in 0..30 {
            eventually("its wait", || is_waiting(child.pid()));
            child.signal(10)?;
        }
        if way == 5 {
            (0..2_000).try_for_each(|_| ours.recv())?;
        }
        ours.send(&way)?;
    }
    child.join()?
}

#[test]
fn ends_may_be_used_from_anywhere() {
    fn check<T: Send + Sync + UnwindSafe + RefUnwindSafe + Clone + std::fmt::Debug>() {}
    // Whatever the messages are.
    check::<mp::Sender<std::cell::Cell<u8>>>();
    check::<mp::Receiver<std::cell::Cell<u8>>>();
    check::<mp::Connection<std::cell::Cell<u8>, std::rc::Rc<u8>>>();
    let (sender, receiver) = mp::channel::<u8>().unwrap();
    assert!(format!("{sender:?} {receiver:?}").starts_with("Sender(fd "));
}

#[test]
fn an_end_is_closed_when_its_process_has_ended() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn ends_in_its_way(how: String, _held: mp::Connection<u8, u8>) {
        match how.as_str() {
            "returns" => {}
            "exits" => std::process::exit(0),
            "panics" => panic!("on purpose"),
            _ => std::process::abort(),
        }
    }
    for how in ["returns", "exits", "panics", "aborts"] {
        let (ours, theirs) = mp::pipe::<u8, u8>()?;
        let child = mp::Process::new(ends_in_its_way, (how.to_owned(), theirs)).stderr(mp::Stdio::null()).start()?;
        assert!(matches!(ours.recv(), Err(RecvError::Disconnected)), "{how}");
        assert!(matches!(ours.send(&1), Err(SendError::Disconnected)), "{how}");
        eventually("its end", || !child.is_alive());
    }
    Ok(())
}
