//! Slices that many processes read: whole, unchanged, and nothing left of them.

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use multiprocess::{self as mp, RecvError};
use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        resource::{Resource, setrlimit},
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    messages::retyped,
    support::{frame, owned, watchdog},
};

#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Point {
    place: [f32; 3],
    number: u32,
}

fn point(number: u32) -> Point {
    Point { place: [number as f32, 0.5, -1.0], number }
}

#[test]
fn made_in_every_way() -> mp::Result<()> {
    let _watchdog = watchdog();
    let numbers: Vec<u32> = (0..100_000).collect();
    let slice = mp::SharedSlice::from_slice(&numbers)?;
    assert_eq!(slice, numbers);
    assert_eq!(slice, mp::SharedSlice::from_vec(numbers.clone())?);
    assert_eq!(slice, mp::SharedSlice::from_iter(0..100_000_u32)?);
    assert_eq!(slice, mp::SharedSlice::try_from(numbers.clone())?);
    assert_eq!(slice.clone().as_ref().as_ptr(), slice.as_ptr());
    assert_eq!((&slice).into_iter().max(), Some(&99_999));
    assert_eq!(format!("{:?}", mp::SharedSlice::from_slice(&[1, 2])?), "[1, 2]");

    let mut built = mp::SharedSliceMut::with_capacity(3)?;
    for number in 0..1000 {
        built.push(number)?;
    }
    built.extend_from_slice(&numbers[1000..70_000])?;
    built.extend((70_000..100_000).filter(|_| true))?;
    built.extend([])?;
    assert_eq!(built.len(), 100_000);
    built[0] = 1;
    built.as_mut()[0] = 0;
    assert_eq!(built.freeze()?, slice);

    let points = mp::SharedSlice::from_iter((0..10_000).map(point))?;
    assert_eq!(points[9_999], point(9_999));
    Ok(())
}

#[test]
fn no_elements_are_a_slice_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    for empty in [
        mp::SharedSlice::<u64>::from_slice(&[])?,
        mp::SharedSlice::from_iter([])?,
        mp::SharedSliceMut::zeroed(0)?.freeze()?,
        mp::SharedSliceMut::with_capacity(1_000_000)?.freeze()?,
    ] {
        assert_eq!(retyped::<_, mp::SharedSlice<u64>>(empty.clone()).unwrap(), []);
        assert_eq!(empty, []);
    }
    let mut pool = mp::SlicePool::<u64>::new(0, 1)?;
    assert!(retyped::<_, mp::LentSlice<u64>>(pool.take()?.lend()).unwrap().is_empty());
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Nested {
    by_name: BTreeMap<String, Option<mp::SharedSlice<Point>>>,
    pair: Box<(mp::SharedSlice<u8>, mp::SharedSlice<u8>)>,
}

#[mp::process_target]
fn look(nested: Nested, numbers: mp::SharedSlice<u32>) -> (u32, u8, mp::SharedSlice<u32>) {
    let points = nested.by_name["points"].as_ref().unwrap();
    let doubled = mp::SharedSlice::from_iter(numbers.iter().map(|number| number * 2)).unwrap();
    (points.iter().map(|point| point.number).sum(), nested.pair.0[0] + nested.pair.1[0], doubled)
}

#[test]
fn arguments_results_and_parts_of_either() -> mp::Result<()> {
    let _watchdog = watchdog();
    let points = mp::SharedSlice::from_iter((0..100).map(point))?;
    let byte = mp::SharedSlice::from_slice(&[21_u8])?;
    let numbers = mp::SharedSlice::from_iter(0..1_000_000)?;
    let children: Result<Vec<_>, _> = (0..8)
        .map(|_| {
            let by_name = [("none".into(), None), ("points".into(), Some(points.clone()))].into();
            let nested = Nested { by_name, pair: Box::new((byte.clone(), byte.clone())) };
            mp::spawn(look, (nested, numbers.clone()))
        })
        .collect();
    for child in children? {
        let (sum, bytes, doubled) = child.join()?;
        assert_eq!((sum, bytes, doubled[999_999]), (4950, 42, 1_999_998));
    }
    Ok(())
}

#[test]
fn a_result_outlives_the_child_and_is_taken_once() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn make() -> mp::SharedSlice<u8> {
        mp::SharedSlice::from_slice(b"made by one that is gone").unwrap()
    }
    let child = mp::spawn(make, ())?;
    let slice = child.join()?;
    assert_eq!(slice[..], b"made by one that is gone"[..]);
    assert!(matches!(child.join(), Err(mp::JoinError::Taken(_))));
    Ok(())
}

/// What a slice is in a message: a descriptor, how many elements, of what size.
type Parts = (mp::Handle<OwnedFd>, (u64, u64));
/// The same of a lent one: with a lease.
type LentParts = (mp::Handle<OwnedFd>, mp::Handle<OwnedFd>, (u64, u64));

/// Everything that a process which has the descriptor can try.
fn nobody_can_change(memfd: &impl AsFd) {
    use nix::sys::{
        mman::{MapFlags, ProtFlags, mmap, mprotect, munmap},
        uio::pwrite,
    };
    let length = std::num::NonZeroUsize::new(4096).unwrap();
    assert!(pwrite(memfd, b"x", 0).is_err());
    assert!(nix::unistd::ftruncate(memfd, 1).is_err());
    assert!(nix::unistd::ftruncate(memfd, 1 << 20).is_err());
    assert!(fcntl(memfd, FcntlArg::F_ADD_SEALS(SealFlag::empty())).is_err());
    let punch = nix::fcntl::FallocateFlags::FALLOC_FL_PUNCH_HOLE | nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
    assert!(nix::fcntl::fallocate(memfd, punch, 0, 4096).is_err());
    let reopened = File::options().write(true).open(format!("/proc/self/fd/{}", memfd.as_fd().as_raw_fd()));
    assert!(reopened.is_err() || pwrite(reopened.unwrap(), b"x", 0).is_err());
    let map = |access| {
        #[expect(unsafe_code, reason = "the point is that the kernel refuses it")]
        // SAFETY: a new mapping, of which nothing is read or written.
        unsafe {
            mmap(None, length, access, MapFlags::MAP_SHARED, memfd, 0)
        }
    };
    assert!(map(ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).is_err());
    let mapped = map(ProtFlags::PROT_READ).unwrap();
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: the mapping made above, of which nobody has a reference.
    let changed = unsafe { mprotect(mapped, 4096, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) };
    assert!(changed.is_err());
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: as above.
    unsafe { munmap(mapped, 4096) }.unwrap();
}

#[mp::process_target]
fn try_to_change(slice: mp::SharedSlice<u8>, lent: mp::LentSlice<u8>) {
    let (memfd, _): Parts = retyped(slice).unwrap();
    nobody_can_change(&*memfd);
    let (memfd, _lease, _): LentParts = retyped(lent).unwrap();
    nobody_can_change(&*memfd);
}

#[test]
fn a_receiver_cannot_change_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let slice = mp::SharedSlice::from_slice(&[1_u8; 5000])?;
    let lent = mp::SlicePool::<u8>::new(5000, 1)?.take()?.lend();
    mp::spawn(try_to_change, (slice.clone(), lent.clone()))?.join()?;
    assert_eq!((&slice[..], &lent[..]), (&[1; 5000][..], &[0; 5000][..]));
    let (memfd, _): Parts = retyped(slice).unwrap();
    nobody_can_change(&*memfd); // nor can who made it
    Ok(())
}

fn memory(length: usize, holes: bool, seals: i32) -> OwnedFd {
    let memfd = memfd_create(c"x", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).unwrap();
    if holes {
        nix::unistd::ftruncate(&memfd, length as i64).unwrap();
    } else {
        std::io::Write::write_all(&mut File::from(memfd.try_clone().unwrap()), &vec![1; length]).unwrap();
    }
    fcntl(&memfd, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(seals))).unwrap();
    memfd
}

const ALL: i32 = 0xf;
const FOR_OTHERS: i32 = 0x17;

/// Descriptors that are no slice of 25,000 `u32`s, with what their message says of them.
fn lies(good: i32) -> Vec<(OwnedFd, (u64, u64), &'static str)> {
    let file = tempfile::tempfile().unwrap();
    file.set_len(100_000).unwrap();
    let right = (25_000, 4);
    let (pipe, _) = std::io::pipe().unwrap();
    let sealed = || memory(100_000, false, good);
    let mut lies = vec![
        (File::open("/dev/zero").unwrap().into(), right, "not sealed"),
        (File::open("/proc/self/mem").unwrap().into(), right, "not sealed"),
        (file.into(), right, "not sealed"),
        (pipe.into(), right, "not sealed"),
        (lingering(), right, "not sealed"),
        (memory(100_000, false, 0), right, "not sealed"),
        (memory(100_000, true, good), right, "holes"),
        (memory(1 << 40, true, good), ((1 << 40) / 4, 4), "holes"),
        (sealed(), (25_001, 4), "bytes of"),
        (sealed(), (24_999, 4), "bytes of"),
        (sealed(), (0, 4), "bytes of"),
        (sealed(), (50_000, 2), "of 2 bytes"),
        (sealed(), (100_000, 0), "of 0 bytes"),
        (sealed(), (u64::MAX, 4), "fit into no memory"),
        (sealed(), (u64::MAX / 4, 4), "fit into no memory"),
        (sealed(), (u64::MAX / 4 + 25_001, 4), "fit into no memory"),
    ];
    for missing in [1, 2, 4, good & 0x18] {
        lies.push((memory(100_000, false, good & !missing), right, "not sealed"));
    }
    // Where the system has such pages.
    if let Ok(huge) = memfd_create(c"x", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_HUGETLB) {
        fcntl(&huge, FcntlArg::F_ADD_SEALS(SealFlag::from_bits_retain(good))).unwrap();
        lies.push((huge, (0, 4), "ordinary pages"));
    }
    lies
}

/// A socket whose close would wait for ever.
fn lingering() -> OwnedFd {
    use nix::sys::socket::{setsockopt, sockopt};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lingers = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    setsockopt(&lingers, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 600 }).unwrap();
    lingers.into()
}

/// That each is an error which says so, and leaves nothing behind.
fn refused<T: DeserializeOwned, P: Serialize>(
    lies: impl Fn() -> Vec<(OwnedFd, (u64, u64), &'static str)>,
    parts: impl Fn(mp::Handle<OwnedFd>, (u64, u64)) -> P,
) -> bool {
    let hear = || {
        for (fd, numbers, words) in lies() {
            match retyped::<_, T>(parts(fd.into(), numbers)) {
                Err(RecvError::Undecodable(error)) => assert!(error.to_string().contains(words), "{words}: {error}"),
                Err(error) => panic!("{words}: {error}"),
                Ok(_) => panic!("{words}: accepted"),
            }
        }
    };
    hear();
    let before = owned();
    hear();
    before == owned()
}

#[mp::process_target]
fn hears_lies() -> (bool, bool) {
    let pipe = || mp::Handle::new(OwnedFd::from(std::io::pipe().unwrap().1));
    let slices = refused::<mp::SharedSlice<u32>, _>(|| lies(ALL), |fd, numbers| (fd, numbers));
    let lent = refused::<mp::LentSlice<u32>, _>(|| lies(FOR_OTHERS), |fd, numbers| (fd, pipe(), numbers));
    // And what is no lease.
    for no_pipe in [OwnedFd::from(File::open("/dev/null").unwrap()), lingering(), memory(1, false, 0)] {
        let good = mp::Handle::new(memory(100_000, false, FOR_OTHERS));
        let message = (good, mp::Handle::new(no_pipe), (25_000_u64, 4_u64));
        assert!(matches!(retyped::<_, mp::LentSlice<u32>>(message), Err(RecvError::Undecodable(_))));
    }
    (slices, lent)
}

#[test]
fn a_lie_about_memory_is_an_error() -> mp::Result<()> {
    let _watchdog = watchdog();
    let good = mp::Handle::new(memory(100_000, false, ALL));
    assert_eq!(retyped::<_, mp::SharedSlice<u32>>((good, (25_000_u64, 4_u64))).unwrap()[24_999], 0x0101_0101);
    assert_eq!(mp::spawn(hears_lies, ())?.join()?, (true, true));
    Ok(())
}

#[test]
fn a_message_without_its_memory_is_an_error() -> mp::Result<()> {
    use nix::sys::socket::{MsgFlags, send};
    let _watchdog = watchdog();
    let (stranger, receiver) = mp::channel::<mp::SharedSlice<u32>>()?;
    for body in [&[0, 1, 4][..], &[0], &[], &[1, 1, 4], &[0, 1]] {
        let message = frame(16, 0, 0, (0, body.len() as u64), body);
        send(stranger.as_fd().as_raw_fd(), &message, MsgFlags::empty()).unwrap();
        assert!(matches!(receiver.recv(), Err(RecvError::Undecodable(_))));
    }
    Ok(())
}

#[test]
fn no_other_serialiser_takes_one() -> mp::Result<()> {
    let _watchdog = watchdog();
    for slice in [mp::SharedSlice::from_slice(&[1_u8])?, mp::SharedSlice::from_slice(&[])?] {
        let error = serde_json::to_string(&slice).unwrap_err().to_string();
        assert!(error.contains("only in messages of `multiprocess`"), "{error}");
    }
    assert!(serde_json::to_string(&mp::SlicePool::<u8>::new(1, 1)?.take()?.lend()).is_err());
    assert!(serde_json::from_str::<mp::SharedSlice<u8>>("[0, [1, 1]]").is_err());
    Ok(())
}

#[mp::process_target]
fn has_a_limit() -> Vec<Option<i32>> {
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
    let within = mp::SharedSlice::from_slice(&vec![1_u8; 1 << 20]).unwrap();
    assert_eq!(within.len(), 1 << 20);
    let mut growing = mp::SharedSliceMut::with_capacity(0).unwrap();
    let grown = growing.extend(0..1_u64 << 20);
    assert_eq!(growing.iter().copied().max(), Some(growing.len() as u64 - 1)); // they are there
    let errors = [
        mp::SharedSlice::from_slice(&vec![1_u8; (1 << 20) + 1]).map(drop),
        mp::SharedSlice::from_iter(0..1_u64 << 20).map(drop),
        mp::SharedSliceMut::<u8>::zeroed((1 << 20) + 1).map(drop),
        mp::SlicePool::<u8>::new((1 << 20) + 1, 1).map(drop),
        mp::SharedArray::<u8>::zeroed((1 << 20) + 1).map(drop),
        grown,
    ];
    errors.into_iter().map(|error| error.unwrap_err().raw_os_error()).collect()
}

#[test]
fn the_limit_of_file_sizes_is_an_error_not_a_signal() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(has_a_limit, ())?.join()?, [Some(nix::libc::EFBIG); 6]);
    Ok(())
}

#[test]
fn more_than_the_machine_has_is_an_error() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::SharedSliceMut::<u8>::zeroed(1 << 46).unwrap_err().raw_os_error(), Some(nix::libc::ENOMEM));
    assert!(mp::SharedSliceMut::<u64>::zeroed(usize::MAX / 8).unwrap_err().is_invalid_input());
    assert!(mp::SharedArray::<u64>::zeroed(usize::MAX).unwrap_err().is_invalid_input());
    assert!(mp::SharedArray::<u8>::zeroed(isize::MAX as usize).is_err());
    assert!(mp::SlicePool::<u64>::new(1, 0).unwrap_err().is_invalid_input());
    Ok(())
}

#[mp::process_target]
fn makes_and_drops() -> bool {
    let once = |number: u64| {
        let slice = mp::SharedSlice::from_iter(0..1000 * number).unwrap();
        let copy: mp::SharedSlice<u64> = retyped(slice.clone()).unwrap();
        let _kept = mp::KeptMappings::new(1);
        let mut pool = mp::SlicePool::<u8>::new(1000, 2).unwrap();
        let (one, other) = (pool.take().unwrap(), pool.take().unwrap().lend());
        let read: mp::LentSlice<u8> = retyped(other).unwrap();
        let again: mp::LentSlice<u8> = retyped(read.clone()).unwrap();
        drop((pool, one));
        (copy.len(), slice.len(), read.len(), again.len())
    };
    once(1);
    let before = owned();
    assert!((1..50).all(|number| once(number).0 > 0));
    before == owned()
}

#[test]
fn nothing_is_left_of_them() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert!(mp::spawn(makes_and_drops, ())?.join()?);
    Ok(())
}

#[test]
fn a_send_takes_no_longer_for_more() -> mp::Result<()> {
    let _watchdog = watchdog();
    let slice = mp::SharedSlice::from_slice(&vec![1_u8; 64 << 20])?;
    let (sender, receiver) = mp::channel()?;
    // It is no copy: so many of them would be 16 GiB.
    let received: Result<Vec<_>, mp::Error> = (0..256)
        .map(|_| {
            sender.send(&slice)?;
            Ok(receiver.recv()?)
        })
        .collect();
    assert!(received?.iter().all(|slice| slice.len() == 64 << 20 && slice[slice.len() - 1] == 1));
    Ok(())
}
