//! After many children everything is as it was before.

use multiprocess as mp;

use super::support::{Owned, eventually, gate, increment, owned, wait_at, watchdog};

#[mp::process_target]
fn thousand() -> (Owned, Owned) {
    assert_eq!(mp::spawn(increment, (1,)).unwrap().join().unwrap(), 2);
    let before = owned();
    for x in 0..1_000 {
        assert_eq!(mp::spawn(increment, (x,)).unwrap().join().unwrap(), x + 1);
    }
    (before, owned())
}

#[test]
fn a_thousand_children_started_and_joined() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after) = mp::spawn(thousand, ())?.join()?;
    assert_eq!(before, after);
    assert_eq!(before.children, [] as [String; 0]);
    Ok(())
}

#[mp::process_target]
fn many_at_once(count: usize) -> (usize, usize, Owned, Owned) {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, 4096, 4096).unwrap();
    mp::spawn(increment, (1,)).unwrap().join().unwrap();
    let before = owned();
    let (closed, gate) = gate();
    let start = |_| mp::spawn(wait_at, (mp::Handle::new(closed.try_clone().unwrap()),)).unwrap();
    let children: Vec<_> = (0..count).map(start).collect();
    let fds = owned().fds.len() - before.fds.len() - 2;
    let alive = mp::active_children().len();
    drop((gate, closed));
    for child in &children {
        child.join().unwrap();
    }
    drop(children);
    (alive, fds, before, owned())
}

#[test]
fn five_hundred_children_alive_at_once() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (alive, fds, before, after) = mp::spawn(many_at_once, (500,))?.join()?;
    assert_eq!(alive, 500);
    assert_eq!(fds, 1_000, "two descriptors for each that runs");
    assert_eq!(before, after);
    Ok(())
}

#[mp::process_target]
fn nobody_asks() -> (Owned, Owned) {
    mp::spawn(increment, (1,)).unwrap().join().unwrap();
    let before = owned();
    for x in 0..200 {
        drop(mp::spawn(increment, (x,)).unwrap());
        if x % 3 == 0 {
            mp::spawn(increment, (x,)).unwrap().detach();
        }
    }
    // No further call into the library: the zombies go by themselves, and then the thread that saw to it.
    eventually("the reaper", || owned() == before);
    (before, owned())
}

#[test]
fn children_that_nobody_joins_leave_no_zombies() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after) = mp::spawn(nobody_asks, ())?.join()?;
    assert_eq!(before, after);
    Ok(())
}

#[mp::process_target]
fn held_but_never_joined() -> usize {
    let held: Vec<_> = (0..100).map(|x| mp::spawn(increment, (x,)).unwrap()).collect();
    eventually("their ends", || held.iter().all(|child| !super::support::is_running(child.pid())));
    // Later starts collect them, a few at a time.
    for x in 0..40 {
        mp::spawn(increment, (x,)).unwrap().join().unwrap();
    }
    owned().children.len()
}

#[test]
fn ended_children_do_not_pile_up_behind_their_handles() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(held_but_never_joined, ())?.join()?, 0);
    Ok(())
}

#[mp::process_target]
fn out_of_descriptors() -> (bool, bool) {
    use nix::sys::resource::{Resource, setrlimit};
    mp::spawn(increment, (1,)).unwrap().join().unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 40, 40).unwrap();
    let (closed, gate) = gate();
    let mut children = Vec::new();
    let error = loop {
        // Every start needs a few for a moment: it fails with the reason, at whichever of its steps that is.
        match mp::spawn(
            wait_at,
            (mp::Handle::new(
                std::fs::File::open("/dev/null").map_or_else(|_| gate.try_clone().unwrap().into(), Into::into),
            ),),
        ) {
            Ok(child) => children.push(child),
            Err(error) => break error,
        }
    };
    drop((gate, closed));
    let joined = children.iter().all(|child| child.join().is_ok());
    drop(children);
    (error.raw_os_error() == Some(24), joined && mp::spawn(increment, (1,)).unwrap().join().is_ok())
}

#[test]
fn a_start_without_descriptors_is_an_error_that_passes() -> mp::Result<()> {
    let _watchdog = watchdog();
    let child = mp::spawn(out_of_descriptors, ())?;
    assert_eq!(child.join()?, (true, true));
    Ok(())
}
