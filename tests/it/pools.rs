//! Slices that are lent and used again: never under a reader, and always after the last.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::support::{WATCHDOG, gate, owned, soak, wait_for, watchdog};

#[mp::process_target]
fn keeps_mappings() -> [usize; 6] {
    let mapped = || owned().memfds;
    let (sender, receiver) = mp::channel::<mp::LentSlice<u8>>().unwrap();
    let before = mapped();
    let mut pools: Vec<_> = (0..4).map(|_| mp::SlicePool::new(10_000, 1).unwrap()).collect();
    let own = mapped() - before;
    let mut round = || {
        for pool in &mut pools {
            let mut slice = pool.take().unwrap();
            slice[0] += 1;
            let seen = slice[0];
            sender.send(&slice.lend()).unwrap();
            assert_eq!(receiver.recv().unwrap()[0], seen);
        }
        mapped() - before - own
    };
    let without = round();
    let kept = mp::KeptMappings::new(3);
    let three = round();
    let more = mp::KeptMappings::new(5);
    let four = (round(), round()).1;
    drop(more);
    let fewer = mapped() - before - own;
    drop((kept, pools));
    [own, without, three, four, fewer, mapped() - before]
}

#[test]
fn mappings_are_kept_while_somebody_asks_for_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(keeps_mappings, ())?.join()?, [4, 0, 3, 4, 3, 0]);
    Ok(())
}

const NOW: Duration = Duration::ZERO;

#[test]
fn a_slice_is_free_when_nobody_has_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut pool = mp::SlicePool::<u8>::new(100, 2)?;
    let (one, other) = (pool.take()?, pool.take()?);
    assert!(pool.take_timeout(NOW)?.is_none());
    drop(one); // not lent
    let one = pool.take()?.lend();
    let clone = one.clone();
    drop(one);
    assert!(pool.take_timeout(NOW)?.is_none());
    drop(clone);
    // Not at once: whoever starts a process has a copy of every descriptor for a moment.
    let mut one = pool.take_timeout(WATCHDOG)?.unwrap();
    one[99] = 7;
    let (sender, receiver) = mp::channel()?;
    sender.send(&one.lend())?;
    assert!(pool.take_timeout(Duration::from_millis(10))?.is_none()); // on its way
    assert_eq!(receiver.recv()?[99], 7);
    assert_eq!(pool.take()?[99], 7);
    sender.send(&pool.take()?.lend())?;
    drop(receiver); // with the message
    assert!(pool.take_timeout(WATCHDOG)?.is_some());
    let lent = other.lend();
    drop(pool);
    assert_eq!(lent[..], [0; 100]);
    Ok(())
}

/// Tells that it has the slice, and keeps it.
#[mp::process_target]
fn hold(slice: mp::LentSlice<u8>, held: mp::Sender<u8>, gate: mp::Handle<OwnedFd>) {
    held.send(&slice[0]).unwrap();
    wait_for(&gate);
}

#[test]
fn a_killed_reader_gives_it_back() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut pool = mp::SlicePool::new(100, 1)?;
    for number in 0..5 {
        let mut slice = pool.take()?; // waits for the one that was killed
        slice.fill(number);
        let ((sender, held), (closed, gate)) = (mp::channel()?, gate());
        let child = mp::spawn(hold, (slice.lend(), sender, closed))?;
        assert_eq!(held.recv()?, number);
        assert!(pool.take_timeout(NOW)?.is_none());
        child.kill()?;
        drop((child, gate));
    }
    Ok(())
}

type Both = (mp::LentSlice<u64>, mp::SharedSlice<u64>);

/// Looks whether a slice is the same all over, and at every look.
#[mp::process_target]
fn check_all(slices: mp::Receiver<Both>) -> mp::Result<()> {
    let _kept = mp::KeptMappings::new(1);
    for both in slices {
        let (lent, sealed) = both?;
        let first = sealed[0];
        let is_same = || lent.iter().all(|element| *element == first);
        assert!((0..3).all(|_| is_same()) && sealed.iter().all(|element| *element == first));
    }
    Ok(())
}

#[test]
fn random_kills_of_readers_tear_nothing_and_block_nobody() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut pool = mp::SlicePool::new(20_000, 2)?;
    let (sender, receiver) = mp::channel::<Both>()?;
    let start = || mp::spawn(check_all, (receiver.clone(),));
    let mut readers = vec![start()?, start()?];
    let end = Instant::now() + soak();
    let mut number = 1_u64;
    while Instant::now() < end {
        let mut slice = pool.take()?;
        slice.fill(number);
        sender.send(&(slice.lend(), mp::SharedSlice::from_iter(std::iter::repeat_n(number, 2000))?))?;
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if number >> 59 == 0 {
            let victim = &mut readers[(number >> 32) as usize % 2];
            victim.kill()?;
            assert!(matches!(victim.join(), Err(mp::JoinError::Killed(_))), "a reader found something wrong");
            *victim = start()?;
        }
    }
    drop((sender, receiver));
    for reader in readers {
        reader.join()??;
    }
    drop((pool.take()?, pool.take()?));
    Ok(())
}
