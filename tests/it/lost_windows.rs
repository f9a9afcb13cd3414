//! Windows whose holder ends, or that never arrive: the array comes back all the same, and says which.

#![expect(clippy::single_range_in_vec_init, reason = "one window that is lost is one range")]

use std::{
    ops::Range,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use multiprocess as mp;

use super::support::{gate, soak, wait_for, watchdog};

const NOW: Duration = Duration::ZERO;

#[mp::process_target]
fn ends(how: String, mut window: mp::SharedWindow<u8>, next: mp::SharedWindow<u8>) {
    window.as_mut_slice().fill(1);
    drop(next);
    match how.as_str() {
        "returns" => {}
        "exits" => std::process::exit(0),
        "aborts" => std::process::abort(),
        "forgets" => std::mem::forget(window),
        "panics" => panic!("with {window:?}"),
        "kills itself" => nix::sys::signal::raise(nix::sys::signal::SIGKILL).unwrap(),
        _ => unreachable!(),
    }
}

#[test]
fn a_holder_that_ends_is_waited_for_no_longer() -> mp::Result<()> {
    let _watchdog = watchdog();
    for how in ["returns", "exits", "aborts", "forgets", "panics", "kills itself"] {
        let (mut windows, rejoin) = mp::SharedArray::<u8>::zeroed(9)?.split(3)?;
        let (last, next) = (windows.pop().unwrap(), windows.pop().unwrap());
        let child = mp::Process::new(ends, (how.to_owned(), last, next)).stderr(mp::Stdio::null()).start()?;
        drop(windows);
        // As a source, beside its holder: it is ready, however that ends.
        assert!(!mp::wait(&[&rejoin], None)?.is_empty());
        let rejoined = rejoin.join()?;
        let lost: &[Range<usize>] = if how == "returns" { &[] } else { &[6..9] };
        assert_eq!(rejoined.lost, lost, "{how}");
        assert_eq!(rejoined.array[..], [0, 0, 0, 0, 0, 0, 1, 1, 1]);
        assert!(rejoined.array.split(2).is_ok());
        child.join().ok();
    }
    Ok(())
}

#[test]
fn one_that_nobody_receives_is_lost() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut windows, rejoin) = mp::SharedArray::<u8>::zeroed(4)?.split(4)?;
    let (sender, receiver) = mp::channel()?;
    sender.send(&windows.remove(0))?;
    assert!(!rejoin.wait_timeout(NOW)?); // somebody could receive it
    drop(receiver);
    // A channel that lies unread in another that lies unread.
    let ((outer_sender, outer), (sender, receiver)) = (mp::channel()?, mp::channel()?);
    sender.send(&windows.remove(0))?;
    outer_sender.send(&receiver)?;
    drop((receiver, sender));
    assert!(!rejoin.wait_timeout(NOW)?);
    drop(outer);
    drop(windows);
    assert_eq!(rejoin.join()?.lost, [0..1, 1..2]);
    Ok(())
}

/// Fills its window in three passes, and hands it to another for the last.
#[mp::process_target]
fn work(mut window: mp::SharedWindow<u64>, others: mp::Sender<mp::SharedWindow<u64>>) {
    window.as_mut_slice().fill(1);
    window.as_mut_slice().fill(2);
    others.send(&window).ok();
}

#[mp::process_target]
fn finish(windows: mp::Receiver<mp::SharedWindow<u64>>) {
    for window in windows {
        let mut window = window.unwrap();
        assert!(window.as_mut_slice().iter().all(|element| *element == 2));
        window.as_mut_slice().fill(3);
    }
}

#[test]
fn random_kills_of_holders_and_in_transfer() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut array = mp::SharedArray::<u64>::zeroed(40_000)?;
    let end = Instant::now() + soak();
    let (mut dice, mut lost, mut back) = (1_u64, 0, 0);
    let mut roll = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        dice >> 33
    };
    while Instant::now() < end {
        array.fill(0);
        let (windows, rejoin) = array.split(4)?;
        let ranges: Vec<_> = windows.iter().map(mp::SharedWindow::range).collect();
        let (sender, receiver) = mp::channel()?;
        let mut children = vec![mp::spawn(finish, (receiver,))?];
        for window in windows {
            children.push(mp::Process::new(work, (window, sender.clone())).start()?);
        }
        drop(sender);
        for _ in 0..roll() % 3 {
            // Some moment in the next milliseconds.
            rejoin.wait_timeout(Duration::from_millis(roll() % 4))?;
            children[roll() as usize % 5].kill().ok();
        }
        let rejoined = rejoin.join()?; // the watchdog says if it does not return
        array = rejoined.array;
        for range in ranges {
            let elements = &array[range.clone()];
            if rejoined.lost.contains(&range) {
                lost += 1;
                assert!(elements.iter().all(|element| *element <= 3));
            } else {
                // Finished by the last, or let go of by one whose send failed: `finish` was killed.
                back += 1;
                assert!(elements.iter().all(|element| *element == 3), "{range:?}");
            }
        }
        drop(children);
    }
    assert!(back > 0 && lost > 0, "{back} came back, {lost} did not");
    Ok(())
}

#[mp::process_target]
fn hold(window: mp::SharedWindow<u8>, gate: mp::Handle<OwnedFd>) {
    wait_for(&gate);
    drop(window);
}

#[test]
fn the_last_of_many_holders_is_waited_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (windows, rejoin) = mp::SharedArray::<u8>::zeroed(8)?.split(4)?;
    let held: Result<Vec<_>, mp::Error> = windows
        .into_iter()
        .map(|window| {
            let (closed, gate) = gate();
            Ok((mp::spawn(hold, (window, closed))?, gate))
        })
        .collect();
    for (number, (child, gate)) in held?.into_iter().enumerate() {
        assert!(!rejoin.wait_timeout(NOW)?);
        if number % 2 == 0 {
            drop(gate);
            child.join()?;
        } else {
            child.kill()?;
            child.join().unwrap_err();
        }
    }
    assert_eq!(rejoin.join()?.lost, [2..4, 6..8]);
    Ok(())
}
