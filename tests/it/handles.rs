//! Descriptors as arguments and results.

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, OwnedFd},
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::support::{owned, watchdog};

#[test]
fn an_open_file_goes_over_with_its_offset() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn read_rest(mut file: mp::Handle<File>) -> String {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(b"hello world")?;
    file.seek(SeekFrom::Start(6))?;
    assert_eq!(mp::spawn(read_rest, (file.into(),))?.join()?, "world");
    Ok(())
}

#[test]
fn a_socket_goes_over_and_a_file_comes_back() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn answer(mut peer: mp::Handle<TcpStream>) -> mp::Handle<File> {
        peer.write_all(b"from the child").unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"the child's file").unwrap();
        file.seek(SeekFrom::Start(4)).unwrap();
        file.into()
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let child = mp::spawn(answer, (listener.accept()?.0.into(),))?;
    let mut text = String::new();
    client.read_to_string(&mut text)?; // ends: the parent's copy is closed, and the child's with the child
    assert_eq!(text, "from the child");
    let mut file = child.join()?;
    text.clear();
    file.read_to_string(&mut text)?;
    assert_eq!(text, "child's file");
    assert!(matches!(child.join(), Err(mp::JoinError::Taken(_))));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Nested {
    by_name: HashMap<String, Option<mp::Handle<OwnedFd>>>,
    boxed: Box<[(u8, mp::Handle<File>)]>,
}

#[test]
fn handles_may_be_anywhere_and_are_close_on_exec() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn look(nested: Nested) -> (Vec<String>, bool) {
        let fds: Vec<_> =
            nested.by_name["fd"].iter().map(AsFd::as_fd).chain(nested.boxed.iter().map(|e| e.1.as_fd())).collect();
        let path = |fd: &_| std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(fd)));
        let flags = |fd: &_| nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        (fds.iter().map(|fd| path(fd).unwrap().display().to_string()).collect(), fds.iter().all(|fd| flags(fd) == 1))
    }
    let nested = Nested {
        by_name: [("none".into(), None), ("fd".into(), Some(OwnedFd::from(File::open("/dev/zero")?).into()))].into(),
        boxed: vec![(1, File::open("/dev/null")?.into()), (2, File::open("/dev/full")?.into())].into(),
    };
    let (paths, close_on_exec) = mp::spawn(look, (nested,))?.join()?;
    assert_eq!(paths, ["/dev/zero", "/dev/null", "/dev/full"]);
    assert!(close_on_exec);
    Ok(())
}

#[mp::process_target]
fn count(files: Vec<mp::Handle<File>>) -> usize {
    files.len()
}

#[test]
fn as_many_as_the_kernel_takes_and_no_more() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let files =
        |number| (0..number).map(|_| File::open("/dev/null").map(mp::Handle::new)).collect::<Result<Vec<_>, _>>();
    assert_eq!(mp::spawn(count, (files(253)?,))?.join()?, 253);
    let error = mp::spawn(count, (files(254)?,)).unwrap_err();
    assert!(error.is_encode() && error.to_string().contains("at most 253"), "{error}");
    Ok(())
}

#[test]
fn descriptors_that_do_not_arrive_are_closed() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[derive(Debug, Serialize)]
    struct Pair(mp::Handle<File>, u8);
    impl<'de> Deserialize<'de> for Pair {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("not decoded"))
        }
    }
    #[mp::process_target]
    fn give() -> Pair {
        Pair(File::open("/dev/null").unwrap().into(), 1)
    }
    #[mp::process_target]
    fn in_a_process_of_its_own() -> bool {
        mp::spawn(give, ()).unwrap().join().unwrap_err();
        let before = owned();
        for _ in 0..20 {
            mp::spawn(give, ()).unwrap().join().unwrap_err(); // decoded in vain
            let child = mp::spawn(give, ()).unwrap(); // and not at all
            while child.is_alive() {}
        }
        before == owned()
    }
    assert!(mp::spawn(in_a_process_of_its_own, ())?.join()?);
    Ok(())
}

#[test]
fn no_other_serialiser_takes_a_handle() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let handle = mp::Handle::new(File::open("/dev/null")?);
    let error = serde_json::to_string(&handle).unwrap_err();
    assert!(error.to_string().contains("only in messages of `multiprocess`"), "{error}");
    let error = serde_json::from_str::<mp::Handle<File>>("0").unwrap_err();
    assert!(error.to_string().contains("only be read from a message"), "{error}");

    // Nor inside one of our messages.
    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Json(#[serde(serialize_with = "as_json")] mp::Handle<File>);
    fn as_json<S: serde::Serializer>(handle: &mp::Handle<File>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(handle).map_err(serde::ser::Error::custom)?)
    }
    #[mp::process_target]
    fn take(_: Json) {}
    assert!(mp::spawn(take, (Json(handle),)).unwrap_err().is_encode());
    Ok(())
}
