//! `wait` and `Selector`: one of many things.

use std::{
    fs::File,
    io::Write,
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::sys::resource::{Resource, setrlimit};

use super::support::{eventually, increment, owned, wait_for_ever, watchdog};

const NOW: Option<Duration> = Some(Duration::ZERO);

#[test]
fn everything_that_is_ready_and_nothing_else() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<u8>()?;
    let (ours, theirs) = mp::pipe::<u8, u8>()?;
    let child = mp::spawn(wait_for_ever, ())?;
    let (pipe, mut writer) = std::io::pipe()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let file = File::open("/dev/null")?;
    let all: [&dyn AsFd; 7] = [&receiver, &sender, &ours, &child, &pipe, &listener, &file];
    // /dev/null is always ready.
    assert_eq!(mp::wait(&all, NOW)?, [6]);
    assert_eq!(mp::wait(&all[..6], NOW)?, [0; 0]);
    sender.send(&1)?;
    writer.write_all(b"x")?;
    assert_eq!(mp::wait(&all[..6], None)?, [0, 4]);
    assert_eq!(mp::wait(&all[..6], None)?, [0, 4], "nothing is taken");
    receiver.recv()?;
    child.kill()?;
    drop(theirs);
    let _client = TcpStream::connect(listener.local_addr()?)?;
    mp::wait(&[&child], None)?;
    // A child of another test, between its clone and its exec, may have a copy of the end that was dropped.
    mp::wait(&[&ours], None)?;
    assert_eq!(mp::wait(&all, None)?, [2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn a_sender_is_ready_when_its_receivers_are_gone() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<u8>()?;
    assert_eq!(mp::wait(&[&sender], NOW)?, [0; 0]);
    drop(receiver);
    assert_eq!(mp::wait(&[&sender], None)?, [0]);
    Ok(())
}

#[test]
fn the_timeout_is_waited_out_also_for_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (_sender, receiver) = mp::channel::<u8>()?;
    let timeout = Some(Duration::from_millis(25));
    for sources in [&[][..], &[&receiver as &dyn AsFd]] {
        let mut selector = mp::Selector::new()?;
        for source in sources {
            selector.add(*source)?;
        }
        let start = Instant::now();
        assert_eq!(mp::wait(sources, timeout)?, [0; 0]);
        assert!(start.elapsed() >= Duration::from_millis(25));
        let start = Instant::now();
        assert!(selector.wait(timeout)?.is_empty());
        assert!(start.elapsed() >= Duration::from_millis(25));
    }
    Ok(())
}

#[test]
fn a_selector_knows_its_sources_by_key() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let mut selector = mp::Selector::new()?;
    let pairs = (0..5).map(|_| mp::channel::<usize>()).collect::<mp::Result<Vec<_>>>()?;
    let (senders, receivers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let clone = receivers[0].clone();
    let keys = receivers.into_iter().map(|receiver| selector.add(receiver)).collect::<mp::Result<Vec<_>>>()?;
    assert_eq!((selector.len(), selector.is_empty()), (5, false));
    assert!(selector.wait(NOW)?.is_empty());
    senders[3].send(&33)?;
    senders[1].send(&11)?;
    let mut ready = selector.wait(None)?;
    ready.sort_unstable();
    assert_eq!(ready, [keys[1], keys[3]]);
    assert_eq!(selector.get(keys[3]).unwrap().recv()?, 33);
    assert_eq!(selector.wait(None)?, [keys[1]]);

    // One that is removed is not waited for; its key is not used again.
    let removed = selector.remove(keys[1]).unwrap();
    assert!(selector.remove(keys[1]).is_none() && selector.get(keys[1]).is_none());
    assert!(selector.wait(NOW)?.is_empty());
    let mut all = keys.clone();
    let mut again = selector.add(removed)?;
    for _ in 0..5 {
        assert!(!all.contains(&again));
        all.push(again);
        let removed = selector.remove(again).unwrap();
        again = selector.add(removed)?;
    }
    assert_eq!(selector.wait(None)?, [again]);

    // The same descriptor twice, and what that leaves behind.
    let error = selector.add(clone).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(17)); // EEXIST
    assert_eq!(selector.len(), 5);

    drop(senders);
    let mut ready = Vec::new();
    // Another test's child may have copies of them, until it executes its program.
    eventually("all to be hung up", || {
        ready = selector.wait(None).unwrap();
        ready.len() == 5
    });
    ready.sort_unstable();
    assert_eq!(ready, [keys[0], keys[2], keys[3], keys[4], again]);
    Ok(())
}

#[test]
fn a_selector_of_different_things() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<u8>()?;
    let child = mp::spawn(increment, (1,))?;
    let mut selector = mp::Selector::<Box<dyn AsFd>>::new()?;
    selector.add(Box::new(receiver))?;
    let ended = selector.add(Box::new(child))?;
    assert_eq!(selector.wait(None)?, [ended]);
    // Files are always ready, and hide nothing.
    let file = selector.add(Box::new(tempfile::tempfile()?))?;
    let mut ready = selector.wait(None)?;
    ready.sort_unstable();
    assert_eq!(ready, [ended, file]);
    selector.remove(ended);
    assert_eq!(selector.wait(None)?, [file]);
    selector.remove(file);
    assert!(selector.wait(NOW)?.is_empty());
    // One in another.
    let mut outer = mp::Selector::new()?;
    let inner = outer.add(&selector)?;
    assert!(outer.wait(NOW)?.is_empty());
    sender.send(&1)?;
    assert_eq!(outer.wait(None)?, [inner]);
    Ok(())
}

#[test]
fn more_sources_than_one_wait_returns() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn in_a_process_of_its_own() -> mp::Result<bool> {
        setrlimit(Resource::RLIMIT_NOFILE, 4096, 4096).unwrap();
        let before = owned();
        {
            let mut selector = mp::Selector::new()?;
            let mut senders = Vec::new();
            for number in 0..1500_u32 {
                let (sender, receiver) = mp::channel()?;
                sender.send(&number)?;
                senders.push(sender);
                selector.add(receiver)?;
            }
            let mut seen = Vec::new();
            while seen.len() < 1500 {
                for key in selector.wait(NOW)? {
                    seen.push(selector.get(key).unwrap().try_recv()?);
                }
            }
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..1500));
            assert!(selector.wait(NOW)?.is_empty());
        }
        Ok(before == owned())
    }
    assert!(mp::spawn(in_a_process_of_its_own, ())?.join()??);
    Ok(())
}
