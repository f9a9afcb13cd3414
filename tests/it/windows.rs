//! Windows of shared arrays: nobody shares an element, and the array comes back whatever happens to them.

#![expect(clippy::single_range_in_vec_init, reason = "one window that is lost is one range")]

use std::{fs::File, os::fd::OwnedFd, thread, time::Duration};

use multiprocess::{self as mp, RecvError};
use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        resource::{Resource, setrlimit},
    },
};
use serde::{Deserialize, Serialize};

use super::{
    messages::retyped,
    support::{WATCHDOG, owned, watchdog},
};

const NOW: Duration = Duration::ZERO;

/// That they are disjoint and, in order, all of it; by what is written through them, too.
fn cover(length: usize, windows: Vec<mp::SharedWindow<u32>>, rejoin: mp::Rejoin<u32>) -> mp::Result<()> {
    let mut next = 0;
    for (number, mut window) in (1..).zip(windows) {
        assert_eq!((window.offset(), window.range().len()), (next, window.len()));
        next += window.len();
        let range = window.range();
        let elements = window.as_mut_slice();
        assert_eq!(elements.len(), range.len());
        for (index, element) in range.zip(elements) {
            assert_eq!(*element, index as u32, "somebody else's");
            *element += number << 16;
        }
    }
    assert_eq!(next, length);
    let rejoined = rejoin.join()?;
    assert!(rejoined.lost.is_empty());
    assert!(rejoined.array.iter().enumerate().all(|(index, element)| *element & 0xffff == index as u32));
    assert!(rejoined.array.iter().all(|element| *element >> 16 > 0));
    assert!(rejoined.array.is_sorted());
    Ok(())
}

#[test]
fn windows_are_disjoint_and_cover_all() -> mp::Result<()> {
    let _watchdog = watchdog();
    let array = |length: usize| mp::SharedArray::from_slice(&(0..length as u32).collect::<Vec<_>>());
    for length in (0..12).chain([1023, 1024, 1025, 5000]) {
        for number in (1..14).chain([1024, 4096]) {
            let (windows, rejoin) = array(length)?.split(number)?;
            assert_eq!(windows.len(), number);
            let lengths = windows.iter().map(mp::SharedWindow::len);
            assert!(lengths.clone().max().unwrap() - lengths.min().unwrap() <= 1);
            cover(length, windows, rejoin)?;
        }
        for chunk in [2, 3, 7, 1000, 10_000] {
            let (windows, rejoin) = array(length)?.split_chunks(chunk)?;
            assert!(windows.iter().rev().skip(1).all(|window| window.len() == chunk));
            cover(length, windows, rejoin)?;
        }
        for at in [&[][..], &[0], &[length], &[0, length / 3, length / 3, length / 2, length]] {
            let (windows, rejoin) = array(length)?.split_at_indices(at)?;
            cover(length, windows, rejoin)?;
        }
    }
    Ok(())
}

#[mp::process_target]
fn count_up(mut window: mp::SharedWindow<u32>) -> u32 {
    let offset = window.offset() as u32;
    (offset..).zip(window.as_mut_slice()).for_each(|(index, element)| *element = index);
    offset
}

#[test]
fn many_processes_write_at_once() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut array = mp::SharedArray::zeroed(100_001)?;
    for _ in 0..3 {
        array.fill(7);
        let (windows, rejoin) = array.split(8)?; // their ends lie in the same pages
        let children: Result<Vec<_>, _> = windows.into_iter().map(|window| mp::spawn(count_up, (window,))).collect();
        let rejoined = rejoin.join()?;
        assert!(rejoined.lost.is_empty());
        array = rejoined.array;
        assert!((0..).zip(array.iter()).all(|(index, element)| index == *element));
        for child in children? {
            child.join()?;
        }
    }
    Ok(())
}

#[test]
fn threads_have_them_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (windows, rejoin) = mp::SharedArray::<u32>::zeroed(10_000)?.split(4)?;
    thread::scope(|scope| {
        for window in windows {
            scope.spawn(|| count_up(window));
        }
    });
    assert!((0..).zip(rejoin.join()?.array.iter()).all(|(index, element)| index == *element));
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Task {
    name: String,
    windows: Vec<mp::SharedWindow<u8>>,
}

#[mp::process_target]
fn fill_and_return(mut task: Task) -> Vec<mp::SharedWindow<u8>> {
    for window in &mut task.windows {
        window.as_mut_slice().fill(task.name.len() as u8);
    }
    task.windows
}

#[test]
fn sent_there_and_back_inside_of_values() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (windows, rejoin) = mp::SharedArray::zeroed(1000)?.split(100)?;
    let child = mp::spawn(fill_and_return, (Task { name: "seven b".into(), windows },))?;
    let mut windows = child.join()?;
    assert!(!rejoin.wait_timeout(NOW)?); // they are out, and here
    assert!(windows.iter_mut().all(|window| *window.as_mut_slice() == [7; 10]));
    windows[99].as_mut_slice()[9] = 8;
    drop(windows);
    // Not at once: whoever starts a process has a copy of every descriptor for a moment.
    assert!(rejoin.wait_timeout(WATCHDOG)?);
    let rejoined = rejoin.join()?;
    assert_eq!((rejoined.lost.len(), &rejoined.array[997..]), (0, &[7, 7, 8][..]));
    Ok(())
}

/// In a process of its own: where others start processes, these have a copy of the receiver for a moment.
#[mp::process_target]
fn sends_windows() -> mp::Result<()> {
    let (mut windows, rejoin) = mp::SharedArray::<u8>::zeroed(30)?.split(3)?;
    let (sender, receiver) = mp::channel()?;
    sender.send(&windows[0])?;
    assert!(windows[0].is_gone() && windows[0].as_mut_slice().is_empty());
    assert_eq!((windows[0].range(), windows[0].len()), (0..10, 10));
    assert!(format!("{:?}", windows[0]).contains("is_gone: true"));
    let error = sender.send(&windows[0]).unwrap_err();
    assert!(matches!(error, mp::SendError::Unencodable(_)) && error.to_string().contains("another message"), "{error}");
    let mut received = receiver.recv()?;
    assert!(matches!(receiver.try_recv(), Err(RecvError::TimedOut)));
    received.as_mut_slice().fill(1);

    // Into a message that is not sent.
    drop(receiver);
    assert!(matches!(sender.send(&windows[1]), Err(mp::SendError::Disconnected)));
    assert!(windows[1].is_gone());
    // Into no message of ours.
    assert!(serde_json::to_string(&windows[2]).is_err());
    assert!(!windows[2].is_gone());
    windows[2].as_mut_slice().fill(3);

    assert!(!rejoin.wait_timeout(NOW)?);
    drop((received, windows));
    let rejoined = rejoin.join()?;
    assert_eq!(rejoined.lost, [10..20]);
    assert_eq!(rejoined.array[..], [[1; 10], [0; 10], [3; 10]].concat());
    Ok(())
}

#[test]
fn what_was_sent_is_gone_and_cannot_be_sent_again() -> mp::Result<()> {
    let _watchdog = watchdog();
    mp::spawn(sends_windows, ())?.join()?
}

#[test]
fn twice_in_one_message_is_once_too_often() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut windows, rejoin) = mp::SharedArray::<u8>::zeroed(30)?.split(1)?;
    let window = windows.remove(0);
    let (sender, receiver) = mp::channel::<(mp::SharedWindow<u8>, mp::SharedWindow<u8>)>()?;
    let twice: mp::Sender<[&mp::SharedWindow<u8>; 2]> = retyped(sender).unwrap();
    assert!(matches!(twice.send(&[&window, &window]), Err(mp::SendError::Unencodable(_))));
    assert!(window.is_gone());
    assert_eq!(rejoin.join()?.lost, [0..30]);
    drop(receiver);
    Ok(())
}

#[test]
fn without_its_array_a_window_is_valid() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (windows, rejoin) = mp::SharedArray::<u32>::zeroed(1000)?.split(2)?;
    drop(rejoin);
    let children: Result<Vec<_>, _> = windows.into_iter().map(|window| mp::spawn(count_up, (window,))).collect();
    let offsets: Result<Vec<_>, _> = children?.iter().map(|child| child.join()).collect();
    assert_eq!(offsets?, [0, 500]);
    Ok(())
}

#[test]
fn what_cannot_be_split_is_given_back() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut array = mp::SharedArray::from_slice(&[1, 2, 3])?;
    type Attempt = fn(mp::SharedArray<i32>) -> Result<(), mp::SplitError<i32>>;
    let attempts: [Attempt; 6] = [
        |array| array.split(0).map(drop),
        |array| array.split(4097).map(drop),
        |array| array.split(usize::MAX).map(drop),
        |array| array.split_chunks(0).map(drop),
        |array| array.split_at_indices(&[4]).map(drop),
        |array| array.split_at_indices(&[2, 1]).map(drop),
    ];
    for attempt in attempts {
        let refused = attempt(array).unwrap_err();
        assert!(refused.error().is_invalid_input(), "{refused}");
        array = refused.into_array();
    }
    assert!(mp::SharedArray::<u8>::zeroed(5000)?.split_chunks(1).is_err());
    assert_eq!(array[..], [1, 2, 3]);
    Ok(())
}

#[mp::process_target]
fn splits_without_descriptors() -> Vec<u8> {
    let array = mp::SharedArray::from_slice(&[1, 2, 3]).unwrap();
    let (_, hard) = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
    let refused = array.split(2).unwrap_err();
    assert_eq!(refused.error().raw_os_error(), Some(nix::libc::EMFILE));
    let array = refused.into_array();
    setrlimit(Resource::RLIMIT_NOFILE, 100, hard).unwrap();
    // Into a message there must be room for a copy of each of its descriptors.
    let (mut windows, rejoin) = array.split(1).unwrap();
    let (sender, receiver) = mp::channel().unwrap();
    let taken: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(matches!(sender.send(&windows[0]), Err(mp::SendError::Os(_))));
    drop(taken);
    // It did not go, and can go now.
    assert_eq!(*windows[0].as_mut_slice(), [1, 2, 3]);
    sender.send(&windows[0]).unwrap();
    receiver.recv().unwrap().as_mut_slice()[0] = 9;
    drop(windows);
    let rejoined = rejoin.join().unwrap();
    assert_eq!(rejoined.lost, []);
    rejoined.array.to_vec()
}

#[test]
fn a_want_of_descriptors_loses_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(splits_without_descriptors, ())?.join()?, [9, 2, 3]);
    Ok(())
}

#[mp::process_target]
fn splits_and_joins() -> bool {
    let once = || {
        let (mut windows, rejoin) = mp::SharedArray::<u32>::zeroed(20_000).unwrap().split(5).unwrap();
        let sent: mp::SharedWindow<u32> = retyped(windows.remove(1)).unwrap();
        let again: mp::SharedWindow<u32> = retyped(sent).unwrap();
        assert_eq!(mp::spawn(count_up, (windows.remove(0),)).unwrap().join().unwrap(), 0);
        drop((windows, again));
        rejoin.join().unwrap();
        let (windows, rejoin) = mp::SharedArray::<u8>::zeroed(20_000).unwrap().split(5).unwrap();
        drop(rejoin);
        drop(windows);
    };
    once();
    let before = owned();
    (0..20).for_each(|_| once());
    before == owned()
}

#[test]
fn nothing_is_left_of_them() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(splits_and_joins, ())?.join()?);
    Ok(())
}

/// What a window is in a message: memory, pipe, its number, its first element, how many, of what size.
type Numbers = (u64, u64, (u64, u64));

#[mp::process_target]
fn hears_lies() -> bool {
    let memory = |seals: i32, holes: bool| {
        let memfd = memfd_create(c"x", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).unwrap();
        nix::unistd::ftruncate(&memfd, 4096 + 400).unwrap();
        if !holes {
            nix::fcntl::fallocate(&memfd, nix::fcntl::FallocateFlags::empty(), 0, 4096 + 400).unwrap();
        }
        fcntl(&memfd, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(seals))).unwrap();
        memfd
    };
    let pipe = || OwnedFd::from(std::io::pipe().unwrap().1);
    let hear = |memfd: OwnedFd, pipe: OwnedFd, numbers: Numbers| {
        retyped::<_, mp::SharedWindow<u32>>((mp::Handle::new(memfd), mp::Handle::new(pipe), numbers))
    };
    let right: Numbers = (0, 0, (100, 4));
    let all = || {
        assert_eq!(hear(memory(7, false), pipe(), right).unwrap().as_mut_slice(), [0; 100]);
        assert!(hear(memory(7, false), pipe(), (4095, 100, (0, 4))).unwrap().as_mut_slice().is_empty());
        let numbers: [Numbers; 12] = [
            (0, 0, (101, 4)),
            (0, 1, (100, 4)),
            (0, 100, (1, 4)),
            (0, 101, (0, 4)),
            (0, u64::MAX, (1, 4)),
            (0, u64::MAX / 4, (1, 4)),
            (0, 1, (u64::MAX / 8, 4)),
            (0, 0, (u64::MAX, 4)),
            (0, 0, (100, 1)),
            (0, 0, (100, 0)),
            (4096, 0, (100, 4)),
            (u64::MAX, 0, (100, 4)),
        ];
        let mut heard: Vec<_> = numbers.map(|numbers| hear(memory(7, false), pipe(), numbers)).into();
        heard.extend([3, 5, 6, 0].map(|seals| hear(memory(seals, false), pipe(), right)));
        heard.push(hear(memory(7, true), pipe(), right));
        heard.push(hear(memory(0xf, false), pipe(), right)); // can be read only
        heard.push(hear(memory(7, false), File::open("/dev/null").unwrap().into(), right));
        heard.push(hear(memory(7, false), memory(7, false), right));
        heard.push(hear(File::open("/dev/zero").unwrap().into(), pipe(), right));
        heard.push(hear(pipe(), pipe(), right));
        let short = memfd_create(c"x", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).unwrap();
        fcntl(&short, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(7))).unwrap();
        heard.push(hear(short, pipe(), (0, 0, (0, 4))));
        heard.iter().for_each(|heard| assert!(matches!(heard, Err(RecvError::Undecodable(_))), "{heard:?}"));
    };
    all();
    let before = owned();
    all();
    before == owned()
}

#[test]
fn a_lie_about_a_window_is_an_error() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(hears_lies, ())?.join()?);
    Ok(())
}

#[test]
fn one_that_claims_to_be_another_cannot_hold_the_array_back() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut windows, rejoin) = mp::SharedArray::<u32>::zeroed(100)?.split(2)?;
    let (memfd, pipe, (_, start, count)): (mp::Handle<OwnedFd>, mp::Handle<OwnedFd>, Numbers) =
        retyped(windows.remove(0)).unwrap();
    let forged: mp::SharedWindow<u32> = retyped((memfd, pipe, (77_u64, start, count))).unwrap();
    drop((forged, windows));
    // Its own mark is missing, and nobody has 77.
    assert_eq!(rejoin.join()?.lost, [0..50]);
    Ok(())
}
