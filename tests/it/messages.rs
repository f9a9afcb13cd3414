//! Handles in messages: ends, files, sockets, pidfds, anywhere inside a value.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use multiprocess::{self as mp, RecvError, SendError};
use nix::{
    fcntl::{FcntlArg, fcntl},
    sys::resource::{Resource, setrlimit},
};
use serde::{Deserialize, Serialize};

use super::support::{eventually, is_waiting, owned, wait_for_ever, watchdog};

/// A request that says where its answer goes.
#[derive(Serialize, Deserialize)]
struct Request {
    number: u64,
    reply: mp::Sender<u64>,
}

#[mp::process_target]
fn serves(requests: mp::Receiver<Request>) -> mp::Result<()> {
    for request in requests {
        let request = request?;
        request.reply.send(&(request.number + 1))?;
    }
    Ok(())
}

#[test]
fn a_sender_inside_a_request() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (requests, receiver) = mp::channel()?;
    let servers = [(); 2].map(|()| mp::spawn(serves, (receiver.clone(),)).unwrap());
    drop(receiver);
    for number in 0..50 {
        let (reply, answer) = mp::channel()?;
        requests.send(&Request { number, reply })?;
        assert_eq!(answer.recv()?, number + 1);
        assert!(matches!(answer.recv(), Err(RecvError::Disconnected)), "the server's copy goes with the request");
    }
    drop(requests);
    servers.iter().try_for_each(|server| server.join()?)
}

#[derive(Serialize, Deserialize)]
struct Everything {
    file: mp::Handle<File>,
    ends: BTreeMap<String, Option<mp::Connection<u8, String>>>,
    nested: Vec<(u8, Box<mp::Receiver<mp::Sender<u8>>>)>,
    process: mp::Handle<OwnedFd>,
}

#[test]
fn every_kind_of_handle_anywhere_in_a_value() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn looks(messages: mp::Receiver<Everything>) -> mp::Result<(String, bool)> {
        let mut message = messages.recv()?;
        let mut text = String::new();
        message.file.read_to_string(&mut text).unwrap();
        for end in message.ends.values().flatten() {
            end.send(&(end.recv()?.len() as u8))?;
        }
        // A message that was in a channel before the channel was in a message.
        let inner = message.nested[0].1.recv()?;
        inner.send(&77)?;
        let is_over = mp::wait(&[&message.process], Some(Duration::ZERO))?;
        let fds = [message.file.as_fd(), message.process.as_fd(), inner.as_fd(), message.nested[0].1.as_fd()];
        let close_on_exec = fds.iter().all(|fd| fcntl(fd, FcntlArg::F_GETFD).unwrap() == 1);
        assert!(is_over.is_empty());
        Ok((text, close_on_exec))
    }
    let process = mp::spawn(wait_for_ever, ())?;
    let mut file = tempfile::tempfile()?;
    file.write_all(b"some text")?;
    file.rewind()?;
    let (ours, theirs) = mp::pipe()?;
    ours.send(&"twelve bytes".to_owned())?;
    let (carrier, carried) = mp::channel()?;
    let (seven, sevens) = mp::channel()?;
    carrier.send(&seven)?;
    drop((carrier, seven));
    let (sender, messages) = mp::channel()?;
    sender.send(&Everything {
        file: file.into(),
        ends: [("none".to_owned(), None), ("one".to_owned(), Some(theirs))].into(),
        nested: vec![(1, Box::new(carried))],
        process: process.as_fd().try_clone_to_owned()?.into(),
    })?;
    drop(sender);
    let child = mp::spawn(looks, (messages,))?;
    assert_eq!((ours.recv()?, sevens.recv()?), (12, 77));
    assert_eq!(child.join()??, ("some text".to_owned(), true));
    assert!(matches!(sevens.recv(), Err(RecvError::Disconnected)));
    process.kill()?;
    Ok(())
}

#[test]
fn ends_as_results() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn opens() -> mp::Result<(mp::Receiver<String>, Option<mp::Sender<u8>>)> {
        let (sender, receiver) = mp::channel()?;
        sender.send(&"from a process that is no more".to_owned())?;
        Ok((receiver, None))
    }
    let (receiver, none) = mp::spawn(opens, ())?.join()??;
    assert_eq!(receiver.recv()?, "from a process that is no more");
    assert!(matches!(receiver.recv(), Err(RecvError::Disconnected)) && none.is_none());
    Ok(())
}

#[test]
fn more_descriptors_than_a_message_carries() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let files = |count| (0..count).map(|_| File::open("/dev/null").map(mp::Handle::new)).collect::<Result<Vec<_>, _>>();
    let (sender, receiver) = mp::channel::<(Vec<mp::Handle<File>>, Vec<u8>)>()?;
    // A large block takes some of the places.
    for (count, bytes, fits) in [(254, 0, false), (253, 0, true), (253, 100_000, false), (252, 100_000, true)] {
        match sender.send(&(files(count)?, vec![1; bytes])) {
            Ok(()) => assert!(fits),
            Err(error) => {
                assert!(
                    matches!(error, SendError::Unencodable(_)) && error.to_string().contains("at most 25"),
                    "{error}"
                );
                assert!(!fits);
                continue;
            }
        }
        // The first thing that comes is what went.
        let (files, content) = receiver.recv()?;
        assert!(files.len() == count && content.len() == bytes);
    }
    Ok(())
}

#[mp::process_target]
fn may_have_few_descriptors() -> bool {
    setrlimit(Resource::RLIMIT_NOFILE, 100, 100).unwrap();
    let (sender, receiver) = mp::channel::<Vec<mp::Sender<u8>>>().unwrap();
    let (one, _other) = mp::channel().unwrap();
    let error = sender.send(&vec![one.clone(); 200]).unwrap_err();
    assert!(matches!(error, SendError::Os(_)), "{error}");
    assert_eq!(mp::Error::from(error).raw_os_error(), Some(24)); // EMFILE
    let error = sender.send(&vec![one; 2_000]).unwrap_err();
    assert_eq!(mp::Error::from(error).raw_os_error(), Some(24));
    matches!(receiver.try_recv(), Err(RecvError::TimedOut))
}

#[test]
fn a_sender_without_room_for_copies_says_so() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(may_have_few_descriptors, ())?.join()?);
    Ok(())
}

#[mp::process_target]
fn may_not_have_so_many() -> bool {
    setrlimit(Resource::RLIMIT_NOFILE, 400, 400).unwrap();
    let (sender, receiver) = mp::channel().unwrap();
    let (one, _other) = mp::channel::<u8>().unwrap();
    let ends = |count| vec![one.clone(); count];
    sender.send(&ends(1)).unwrap();
    receiver.recv().unwrap(); // from here on it looks first
    sender.send(&ends(250)).unwrap();
    sender.send(&ends(2)).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 200, 400).unwrap();
    let error = receiver.recv().unwrap_err();
    assert!(error.to_string().contains("a message is lost"), "{error}");
    receiver.recv().unwrap().len() == 2
}

#[test]
fn a_message_that_can_never_fit_does_not_stand_in_the_way() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(may_not_have_so_many, ())?.join()?);
    Ok(())
}

/// With the standard streams closed, as daemons have them.
#[mp::process_target]
fn has_closed_its_streams(ends: mp::Receiver<Vec<mp::Sender<u8>>>, answer: mp::Sender<bool>) -> mp::Result<()> {
    (0..3).for_each(|stream| nix::unistd::close(stream).unwrap());
    let came = ends.recv()?;
    let (sender, receiver) = mp::channel::<u8>()?;
    let all = came.iter().map(AsFd::as_fd).chain([sender.as_fd(), receiver.as_fd()]);
    Ok(answer.send(&all.map(|fd| fd.as_raw_fd()).all(|fd| fd > 2))?)
}

#[test]
fn no_end_becomes_a_standard_stream() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (to, ends) = mp::channel()?;
    let (answer, is_above) = mp::channel()?;
    let (end, _other) = mp::channel()?;
    to.send(&vec![end; 4])?;
    let child = mp::spawn(has_closed_its_streams, (ends, answer))?;
    assert!(is_above.recv()?);
    child.join()?
}

/// Becomes a user whose descriptors in flight are counted; only root can. `None`: it is not.
#[mp::process_target]
fn has_too_many_on_their_way() -> mp::Result<Option<bool>> {
    if nix::unistd::setuid(nix::unistd::Uid::from_raw(61_234)).is_err() {
        return Ok(None);
    }
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    let large = vec![1_u8; 70_000]; // in a memfd each
    let channels = (0..8).map(|_| mp::channel()).collect::<mp::Result<Vec<_>>>()?;
    let fill = |sender: &mp::Sender<_>| loop {
        match sender.try_send(&large) {
            Ok(()) => {}
            Err(SendError::TimedOut) => return None,
            Err(error) => return Some(mp::Error::from(error).raw_os_error()),
        }
    };
    assert_eq!(channels.iter().find_map(|(sender, _)| fill(sender)), Some(Some(109))); // ETOOMANYREFS
    let (sender, receiver) = mp::channel()?;
    let (start, patience) = (Instant::now(), Duration::from_millis(20));
    sender.send_timeout(&large, patience).unwrap_err();
    assert!(start.elapsed() >= patience);
    // There is room when others have received theirs.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| sender.send(&large).is_ok());
        for (_, receiver) in &channels {
            while receiver.try_recv().is_ok() {}
        }
        Ok(Some(waits.join().unwrap() && receiver.recv()? == large))
    })
}

#[test]
fn too_many_descriptors_on_their_way_are_waited_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    match mp::spawn(has_too_many_on_their_way, ())?.join()?? {
        Some(waited) => assert!(waited),
        None => println!("skipped: it needs root to become a user who has none on their way yet"),
    }
    Ok(())
}

#[test]
fn descriptors_on_their_way_are_few() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    for (count, most) in [(1, 170), (10, 20), (253, 4)] {
        let (sender, _receiver) = mp::channel()?;
        let files = (0..count).map(|_| File::open("/dev/null").map(mp::Handle::new));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let sent = (0..).take_while(|_| sender.try_send(&files).is_ok()).count();
        assert!((1..=most).contains(&sent), "{sent} messages of {count}");
    }
    Ok(())
}

#[mp::process_target]
fn drops_messages_in_every_way() -> bool {
    let (pipe, writer) = std::io::pipe().unwrap();
    let (mut pipe, writer) = (File::from(OwnedFd::from(pipe)), mp::Handle::new(OwnedFd::from(writer)));
    let once = || {
        let (sender, receiver) = mp::channel::<(mp::Handle<OwnedFd>, u8)>().unwrap();
        let message = (writer.as_fd().try_clone_to_owned().unwrap().into(), 1);
        sender.send(&message).unwrap();
        assert!(receiver.recv_bytes().is_err()); // of the wrong kind
        sender.send(&message).unwrap();
        drop(receiver); // never received
        let (sender, receiver) = mp::channel::<(mp::Handle<OwnedFd>, String)>().unwrap();
        let other: mp::Receiver<(u8, u8, u8)> = retyped(receiver).unwrap();
        sender.send(&(writer.as_fd().try_clone_to_owned().unwrap().into(), "text".to_owned())).unwrap();
        assert!(other.recv().is_err()); // of the wrong type
    };
    once();
    let before = owned();
    for _ in 0..20 {
        once();
    }
    let after = owned();
    drop(writer);
    pipe.read_to_string(&mut String::new()).unwrap(); // ends: no copy is left anywhere
    before == after
}

/// What is written as one type and read as another.
struct Retyped<A, B>(Result<A, B>);

impl<A: Serialize, B> Serialize for Retyped<A, B> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().ok().serialize(serializer)
    }
}

impl<'de, A, B: Deserialize<'de>> Deserialize<'de> for Retyped<A, B> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Option::<B>::deserialize(deserializer)?;
        read.map(|value| Self(Err(value))).ok_or_else(|| serde::de::Error::custom("nothing"))
    }
}

pub(crate) fn retyped<A: Serialize, B: serde::de::DeserializeOwned>(value: A) -> Result<B, RecvError> {
    let (sender, receiver) = mp::channel::<Retyped<A, B>>().unwrap();
    sender.send(&Retyped(Ok(value))).unwrap();
    receiver.recv().map(|retyped| retyped.0.err().unwrap())
}

#[test]
fn descriptors_of_lost_messages_are_closed() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(drops_messages_in_every_way, ())?.join()?);
    Ok(())
}

#[test]
fn only_an_end_is_taken_for_an_end() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let file = mp::Handle::new(OwnedFd::from(File::open("/dev/null")?));
    let error = retyped::<_, mp::Sender<u8>>(file).unwrap_err();
    assert!(error.to_string().contains("no end of a connection"), "{error}");
    let stream = mp::Handle::new(OwnedFd::from(std::os::unix::net::UnixStream::pair()?.0));
    assert!(retyped::<_, mp::Connection<u8, u8>>(stream).is_err());
    Ok(())
}

#[test]
fn no_other_serialiser_takes_an_end() -> mp::Result<()> {
    let (sender, receiver) = mp::channel::<u8>()?;
    let (one, _other) = mp::pipe::<u8, u8>()?;
    for error in [serde_json::to_string(&sender), serde_json::to_string(&receiver), serde_json::to_string(&one)] {
        let error = error.unwrap_err();
        assert!(error.to_string().contains("only in messages of `multiprocess`"), "{error}");
    }
    let error = serde_json::from_str::<mp::Sender<u8>>("1").unwrap_err();
    assert!(error.to_string().contains("only be read from a message"), "{error}");
    Ok(())
}

#[test]
fn a_message_in_a_channel_in_a_message_goes_when_nobody_takes_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (probe, probed) = mp::channel::<u8>()?;
    let (outer, outer_receiver) = mp::channel()?;
    {
        let (inner, inner_receiver) = mp::channel()?;
        inner.send(&probe)?;
        outer.send(&inner_receiver)?;
    }
    drop(probe);
    assert!(matches!(probed.try_recv(), Err(RecvError::TimedOut)), "it is on its way");
    drop((outer, outer_receiver));
    assert!(matches!(probed.recv(), Err(RecvError::Disconnected)));
    Ok(())
}

/// Says when it is about to receive, and whether it had room.
#[mp::process_target]
fn receives_one(from: mp::Receiver<mp::Handle<File>>, ready: mp::Sender<()>, few: bool) -> mp::Result<bool> {
    from.recv()?; // from here on it knows that descriptors come
    if few {
        let room = File::open("/dev/null")?.as_raw_fd() as u64;
        setrlimit(Resource::RLIMIT_NOFILE, room, room + 100).unwrap();
    }
    ready.send(&())?;
    Ok(from.recv().is_ok())
}

#[test]
fn who_leaves_a_message_where_it_is_leaves_it_to_the_others() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let file = || File::open("/dev/null").map(mp::Handle::new);
    for killed in [false, true] {
        for _ in 0..20 {
            let (sender, receiver) = mp::channel()?;
            let (ready, is_ready) = mp::channel()?;
            sender.send(&file()?)?;
            let first = mp::spawn(receives_one, (receiver.clone(), ready, !killed))?;
            is_ready.recv()?;
            eventually("its wait", || is_waiting(first.pid()));
            std::thread::scope(|scope| {
                let (tell, told) = std::sync::mpsc::channel();
                let others = receiver.clone();
                let other = scope.spawn(move || {
                    tell.send(nix::unistd::gettid().as_raw() as u32).unwrap();
                    others.iter().filter(|file| file.is_ok()).count()
                });
                let thread = told.recv().unwrap();
                eventually("the other's wait", || is_waiting(thread));
                sender.send(&file().unwrap()).unwrap(); // wakes the first one
                if killed {
                    first.kill().unwrap(); // before it takes the message, or after
                }
                // What the first one leaves there, the others take.
                eventually("the others", || !receiver.poll(Some(Duration::ZERO)).unwrap());
                drop(sender);
                let others = other.join().unwrap();
                match first.join() {
                    Ok(had_it) => assert_eq!(others, usize::from(!had_it.unwrap())),
                    Err(_) => assert!(others <= 1),
                }
            });
        }
    }
    Ok(())
}

#[mp::process_target]
fn has_no_room(files: mp::Receiver<Vec<mp::Handle<File>>>, next: mp::Connection<(), ()>) -> mp::Result<()> {
    let limit = |most: u64| setrlimit(Resource::RLIMIT_NOFILE, most, most.max(100)).unwrap();
    let room = || File::open("/dev/null").unwrap().as_raw_fd() as u64;
    // The first message of descriptors may be lost, and says so.
    limit(room() + 3);
    let error = files.recv().unwrap_err();
    assert!(error.to_string().contains("a message is lost"), "{error}");
    assert_eq!(mp::Error::from(error).raw_os_error(), Some(24)); // EMFILE
    // From then on they wait until there is room.
    next.send(&())?;
    next.recv()?;
    for _ in 0..3 {
        let error = mp::Error::from(files.recv().unwrap_err());
        assert!(error.raw_os_error() == Some(24) && !error.to_string().contains("lost"), "{error}");
        assert!(files.poll(Some(Duration::ZERO))?);
    }
    limit(100);
    assert_eq!(files.recv()?.len(), 6);
    assert!(matches!(files.try_recv(), Err(RecvError::TimedOut)));
    next.send(&())?;
    Ok(())
}

#[test]
fn a_receiver_without_room_for_descriptors() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let files = || (0..6).map(|_| File::open("/dev/null").map(mp::Handle::new)).collect::<std::io::Result<Vec<_>>>();
    let (sender, receiver) = mp::channel()?;
    let (ours, theirs) = mp::pipe()?;
    let child = mp::spawn(has_no_room, (receiver, theirs))?;
    sender.send(&files()?)?;
    ours.recv()?;
    sender.send(&files()?)?;
    ours.send(&())?;
    ours.recv()?;
    child.join()??;
    Ok(())
}
