//! Owners of shared memory that are killed: what they leave is known for what it is, and goes.

use std::{
    collections::HashMap,
    fs::{self, File},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use multiprocess as mp;
use nix::libc::EEXIST;

use super::{
    named::{name, path},
    support::{eventually, gate, is_running, wait_for, wait_for_ever, watchdog},
};

/// While this lives no other test has orphans, or removes them.
pub(crate) fn alone() -> File {
    let directory = File::open("/dev/shm").unwrap();
    directory.lock().unwrap();
    directory
}

/// The steps of a creation, and whether the segment has its name by then.
const STEPS: [(&str, bool); 5] = [
    ("segment-made", false),
    ("segment-reserved", false),
    ("segment-locked", false),
    ("segment-marked", false),
    ("segment-linked", true),
];

#[mp::process_target]
fn create_and_wait(name: String, tell: mp::Sender<()>) -> mp::Result<()> {
    let _memory = mp::SharedMemory::create_filled(&name, &[7_u8; 10_000])?;
    tell.send(&())?;
    wait_for_ever();
    Ok(())
}

/// A segment whose owner was killed.
fn orphan(name: &str) -> mp::Result<()> {
    let (tell, told) = mp::channel()?;
    let child = mp::spawn(create_and_wait, (name.to_owned(), tell))?;
    told.recv()?;
    child.kill()?;
    child.join().unwrap_err();
    assert!(path(name).exists());
    Ok(())
}

#[test]
fn a_kill_at_any_step_leaves_nothing_or_an_orphan() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    for (step, has_name) in STEPS {
        let name = name(step);
        for reclaim in [
            |name: &str| drop(mp::SharedMemory::create(name, 5).unwrap()),
            |name: &str| {
                assert!(mp::cleanup().unwrap().contains(&name.to_owned()));
            },
        ] {
            let (tell, told) = mp::channel()?;
            let child =
                mp::Process::new(create_and_wait, (name.clone(), tell)).env("MULTIPROCESS_FAULT", step).start()?;
            let error = child.join().unwrap_err();
            assert!(matches!(error, mp::JoinError::Killed(_)), "{step}: {error}");
            assert!(told.recv().is_err());
            assert_eq!(path(&name).exists(), has_name, "{step}");
            if has_name {
                let found = mp::SharedMemory::open(&name)?;
                assert!(!found.has_owner()?);
                assert_eq!(found.to_vec()?, [7; 10_000], "whole");
                reclaim(&name);
            }
            assert!(!path(&name).exists(), "{step}");
        }
    }
    Ok(())
}

#[test]
fn the_next_of_that_name_takes_it_from_an_orphan() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    let name = name("next");
    orphan(&name)?;
    let attached = mp::SharedMemory::open(&name)?;
    let next = mp::SharedMemory::create(&name, 3)?;
    assert_eq!((next.to_vec()?, attached.to_vec()?), (vec![0; 3], vec![7; 10_000]));
    assert!(!attached.is_linked()? && !attached.has_owner()? && next.has_owner()?);
    assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
    Ok(())
}

#[test]
fn many_who_want_an_orphans_name_get_it_once() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn want(name: String, start: mp::Handle<OwnedFd>, end: mp::Handle<OwnedFd>, tell: mp::Sender<bool>) {
        wait_for(&start);
        let got = mp::SharedMemory::create(&name, 1);
        tell.send(&got.is_ok()).unwrap();
        assert!(got.as_ref().err().is_none_or(|error| error.raw_os_error() == Some(EEXIST)), "{got:?}");
        wait_for(&end);
    }
    let name = name("many");
    for _ in 0..10 {
        orphan(&name)?;
        let ((start, started), (end, ended)) = (gate(), gate());
        let (tell, told) = mp::channel()?;
        let children: Vec<_> = (0..4)
            .map(|_| {
                let gates = [&start, &end].map(|gate| gate.try_clone().map(mp::Handle::new));
                let [start, end] = gates;
                mp::spawn(want, (name.clone(), start?, end?, tell.clone()))
            })
            .collect::<Result<_, _>>()?;
        drop(started);
        let got: Vec<bool> = (0..4).map(|_| told.recv()).collect::<Result<_, _>>()?;
        assert_eq!(got.iter().filter(|got| **got).count(), 1, "{got:?}");
        drop(ended);
        for child in children {
            child.join()?;
        }
        assert!(!path(&name).exists());
    }
    Ok(())
}

#[test]
fn each_orphan_is_removed_by_one_cleaner() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn leave(names: Vec<String>) {
        names.iter().for_each(|name| std::mem::forget(mp::SharedMemory::create(name, 1).unwrap()));
        std::process::abort();
    }
    #[mp::process_target]
    fn clean(start: mp::Handle<OwnedFd>) -> mp::Result<Vec<String>> {
        wait_for(&start);
        mp::cleanup()
    }
    mp::cleanup()?;
    let mut names: Vec<_> = (0..200).map(|number| name(&format!("clean-{number:03}"))).collect();
    names.sort();
    let living = mp::SharedMemory::create(&name("living"), 1)?;
    for _ in 0..5 {
        mp::spawn(leave, (names.clone(),))?.join().unwrap_err();
        let (start, started) = gate();
        let children: Vec<_> =
            (0..4).map(|_| mp::spawn(clean, (mp::Handle::new(start.try_clone()?),))).collect::<Result<_, _>>()?;
        drop(started);
        let mut removed = Vec::new();
        for child in children {
            removed.extend(child.join()??);
        }
        removed.sort();
        assert_eq!(removed, names);
    }
    assert!(living.is_linked()?);
    Ok(())
}

#[test]
fn only_orphans_of_ours_are_removed() -> Result<(), Box<dyn std::error::Error>> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn persist(name: String) {
        let mut memory = mp::SharedMemory::create(&name, 1).unwrap();
        memory.persist().unwrap();
        assert!(!memory.is_owner() && !memory.has_owner().unwrap());
        std::process::abort();
    }
    let name = name("kept");
    let of = |kind: &str| format!("{name}-{kind}");
    mp::spawn(persist, (of("persisted"),))?.join().unwrap_err();
    fs::write(path(&of("file")), "somebody's")?;
    std::os::unix::fs::symlink("/dev/zero", path(&of("symlink")))?;
    nix::unistd::mkfifo(&path(&of("fifo")), nix::sys::stat::Mode::S_IRWXU)?;
    let _socket = std::os::unix::net::UnixListener::bind(path(&of("socket")))?;
    fs::create_dir(path(&of("directory")))?;
    let owned = mp::SharedMemory::create(&of("owned"), 1)?;
    let (sender, receiver) = mp::channel()?;
    sender.send(&mp::SharedMemory::create(&of("sent"), 1)?.into_ownership()?)?;

    let removed = mp::cleanup()?;
    assert!(!removed.iter().any(|removed| removed.starts_with(&name)), "{removed:?}");
    for kind in ["persisted", "file", "symlink", "fifo", "socket", "directory", "owned", "sent"] {
        assert!(fs::symlink_metadata(path(&of(kind))).is_ok(), "{kind}");
    }
    let received: mp::Ownership = receiver.recv()?;
    drop((owned, received));
    for kind in ["owned", "sent"] {
        assert!(!path(&of(kind)).exists(), "{kind}");
    }
    for kind in ["persisted", "file", "symlink", "fifo", "socket"] {
        fs::remove_file(path(&of(kind)))?;
    }
    fs::remove_dir(path(&of("directory")))?;
    Ok(())
}

#[test]
fn another_users_orphan_is_left_alone() -> mp::Result<()> {
    let _watchdog = watchdog();
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give a file to another user");
        return Ok(());
    }
    let _alone = alone();
    let name = name("users");
    orphan(&name)?;
    std::os::unix::fs::chown(path(&name), Some(65_534), None)?;
    assert!(!mp::cleanup()?.contains(&name));
    assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
    std::os::unix::fs::chown(path(&name), Some(0), None)?;
    assert!(mp::cleanup()?.contains(&name));
    Ok(())
}

#[test]
fn a_user_of_the_memory_does_not_keep_a_dead_owner_alive() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn own(name: String, tell: mp::Sender<(mp::SharedMemory, u32)>) -> mp::Result<()> {
        let memory = mp::SharedMemory::create(&name, 100)?;
        // The grandchild has it too, and does not end with its parent.
        let (gate, _open) = gate();
        let copy = mp::SharedMemory::open(&name)?;
        #[mp::process_target]
        fn hold(_memory: mp::SharedMemory, gate: mp::Handle<OwnedFd>) {
            wait_for(&gate);
        }
        let child = mp::Process::new(hold, (copy, gate)).on_parent_death(mp::OnParentDeath::Continue).start()?;
        tell.send(&(memory, child.pid()))?;
        let _owner = mp::SharedMemory::create(&(name + "-2"), 100)?;
        wait_for_ever();
        Ok(())
    }
    let name = name("users-of");
    let (tell, told) = mp::channel()?;
    let child = mp::spawn(own, (name.clone(), tell))?;
    let (memory, grandchild) = told.recv()?;
    child.kill()?;
    child.join().unwrap_err();
    assert!(!memory.has_owner()?);
    mp::cleanup()?;
    assert!(!memory.is_linked()? && !path(&(name + "-2")).exists());
    eventually("the grandchild's end", || !is_running(grandchild));
    Ok(())
}

#[test]
fn a_killed_group_leaves_orphans_that_the_next_takes() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn lead(names: [String; 2], tell: mp::Sender<()>) -> mp::Result<()> {
        nix::unistd::setpgid(nix::unistd::Pid::from_raw(0), nix::unistd::Pid::from_raw(0)).unwrap();
        let [first, second] = names;
        let memory = mp::SharedMemory::create(&first, 100)?;
        let other = mp::spawn(create_and_wait, (second, tell))?;
        let attached = mp::SharedMemory::open(&first)?;
        let (gate, _open) = gate();
        #[mp::process_target]
        fn attach(_memory: mp::SharedMemory, gate: mp::Handle<OwnedFd>) {
            wait_for(&gate);
        }
        let _user = mp::spawn(attach, (attached, gate))?;
        other.join()?.map(|()| drop(memory))
    }
    let names = [name("group-1"), name("group-2")];
    for _ in 0..3 {
        let (tell, told) = mp::channel()?;
        let child = mp::spawn(lead, (names.clone(), tell))?;
        told.recv()?;
        let group = nix::unistd::Pid::from_raw(child.pid() as i32);
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
        child.join().unwrap_err();
        let is_orphan = |name: &String| mp::SharedMemory::open(name).is_ok_and(|memory| !memory.has_owner().unwrap());
        eventually("the end of the group", || names.iter().all(is_orphan));
        mp::SharedMemory::create(&names[0], 1)?;
        assert!(mp::cleanup()?.contains(&names[1]));
        assert!(!names.iter().any(|name| path(name).exists()));
    }
    Ok(())
}

#[test]
fn random_kills_of_owners_leave_only_orphans() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn churn(name: String, tell: mp::Sender<()>) {
        tell.send(&()).unwrap();
        loop {
            // The name may be another's just now.
            for memory in [mp::SharedMemory::create_filled(&name, &[7_u8; 10_000]), mp::SharedMemory::new(5)] {
                let again = memory.as_ref().map(|memory| mp::SharedMemory::open(memory.name()).map(drop));
                drop(again);
            }
        }
    }
    let soak = std::env::var("MP_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(soak);
    let name = name("churn");
    let random = || {
        let names = fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("psm_")).collect::<Vec<_>>()
    };
    mp::cleanup()?;
    let before = random();
    let (tell, told) = mp::channel()?;
    let mut seen = HashMap::<&str, u32>::new();
    for rounds in 0.. {
        if Instant::now() >= end {
            break;
        }
        let start = || mp::spawn(churn, (name.clone(), tell.clone()));
        let children = [start()?, start()?];
        for _ in &children {
            told.recv()?;
        }
        // Looks at the name for a random while: it is whole or not there.
        let looks = 50 + rounds * 37 % 400;
        for _ in 0..looks {
            match mp::SharedMemory::open(&name) {
                Ok(memory) => {
                    assert!(memory.to_vec()?.iter().all(|byte| *byte == 7) && memory.size() == 10_000);
                    *seen.entry("whole").or_default() += 1;
                }
                Err(error) => assert_eq!(error.raw_os_error(), Some(nix::libc::ENOENT)),
            }
        }
        for child in children {
            child.kill()?;
            child.join().unwrap_err();
        }
        *seen.entry("killed").or_default() += 2;
        *seen.entry("orphans").or_default() += mp::cleanup()?.len() as u32;
        assert!(!path(&name).exists());
        // Segments of other tests come and go.
        let left = random().into_iter().filter(|name| !before.contains(name));
        for name in left {
            eventually("the end of a living owner", || {
                mp::SharedMemory::open(&name).is_err()
                    || mp::SharedMemory::open(&name).is_ok_and(|memory| memory.has_owner().unwrap())
            });
        }
    }
    println!("{seen:?}");
    assert!(seen["whole"] > 0 && seen["orphans"] > 0, "{seen:?}");
    Ok(())
}

#[test]
fn the_first_random_name_of_a_process_takes_orphans_of_others_along() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    #[mp::process_target]
    fn leave(tell: mp::Sender<String>) {
        let memory = mp::SharedMemory::new(1).unwrap();
        tell.send(&memory.name().to_owned()).unwrap();
        wait_for_ever();
    }
    #[mp::process_target]
    fn tidy() -> mp::Result<String> {
        Ok(mp::SharedMemory::new(1)?.name().to_owned())
    }
    let (tell, told) = mp::channel()?;
    let child = mp::spawn(leave, (tell,))?;
    let orphan = told.recv()?;
    assert!(path(&orphan).exists());
    child.kill()?;
    child.join().unwrap_err();
    let own = mp::spawn(tidy, ())?.join()??;
    assert!(!path(&orphan).exists() && !path(&own).exists());
    Ok(())
}
