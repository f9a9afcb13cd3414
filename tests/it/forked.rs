//! A child that is copied from a server is what a spawned one is: its parent's child, in its parent's place, with nothing of anybody's.
//!
//! (All other tests run by this start method too: `MULTIPROCESS_START_METHOD=forkserver`.)

use std::{
    collections::HashSet,
    env,
    hash::{BuildHasher, RandomState},
    io::{Read, Write},
    os::fd::OwnedFd,
    path::PathBuf,
};

use multiprocess as mp;
use nix::{libc, sys::signal::Signal, unistd};

use super::{
    contexts::place_of_code,
    support::{Owned, eventually, gate, increment, is_running, owned, wait_at, wait_for_ever, watchdog},
};

fn context() -> mp::Context {
    mp::Context::forkserver()
}

type Kin = (u32, Option<u32>, i32, i32, u32);

#[mp::process_target]
fn kin() -> Kin {
    let parent = mp::parent_process().map(|parent| parent.pid());
    let own = std::process::id();
    let session = unistd::getsid(None).unwrap().as_raw();
    (unistd::getppid().as_raw().cast_unsigned(), parent, unistd::getpgrp().as_raw(), session, own)
}

#[test]
fn it_is_a_child_of_the_process_that_started_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let child = context().start(kin, ())?;
    let (parent, told, group, session, pid) = child.join()?;
    let own = std::process::id();
    assert_eq!((parent, told, pid), (own, Some(own), child.pid()));
    assert_eq!((group, session), (unistd::getpgrp().as_raw(), unistd::getsid(None).unwrap().as_raw()));
    assert!(child.rusage().unwrap().max_rss() > 0);
    Ok(())
}

#[test]
fn its_server_is_nobodys_business() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn looks() -> (bool, usize, bool, Vec<String>) {
        let context = context().warm(2);
        let before = context.server_pid();
        context.start(increment, (1,)).unwrap().join().unwrap();
        let server = context.server_pid().unwrap();
        let name = std::fs::read_to_string(format!("/proc/{server}/comm")).unwrap();
        let active = mp::active_children().len();
        // Its children that wait are as quiet.
        context.prepare().unwrap();
        drop(context);
        (before.is_none() && name == "mp-forkserver\n", active, is_running(server), owned().children)
    }
    // All is gone when the context is.
    assert_eq!(mp::spawn(looks, ())?.join()?, (true, 0, false, Vec::new()));
    Ok(())
}

#[test]
fn it_is_where_its_parent_is_by_then() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn place() -> (PathBuf, Vec<(String, String)>) {
        (env::current_dir().unwrap(), env::vars().collect())
    }
    #[mp::process_target]
    fn moves() {
        let contexts = [context(), context().warm(2)];
        let check = |wanted: &std::path::Path| {
            for context in &contexts {
                for _ in 0..3 {
                    let (directory, variables) = context.start(place, ()).unwrap().join().unwrap();
                    assert_eq!(directory, wanted);
                    assert_eq!(variables, env::vars().collect::<Vec<_>>());
                }
            }
        };
        check(&env::current_dir().unwrap());
        env::set_current_dir("/proc").unwrap();
        for value in ["1", "", &"long".repeat(30_000)] {
            #[expect(unsafe_code, reason = "the point is a change after the server's start")]
            // SAFETY: there is no other thread in this process that could read it meanwhile.
            unsafe {
                env::set_var("MP_LATER", value);
            };
            check("/proc".as_ref());
        }
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: as above.
        unsafe {
            env::remove_var("MP_LATER");
        };
        let directory = tempfile::tempdir().unwrap();
        env::set_current_dir(directory.path()).unwrap();
        check(&directory.path().canonicalize().unwrap());
        let path = directory.path().canonicalize().unwrap();
        drop(directory);
        // As after an exec: it is still there, and has no name.
        #[mp::process_target]
        fn nowhere() -> PathBuf {
            std::fs::read_link("/proc/self/cwd").unwrap()
        }
        let expected = PathBuf::from(format!("{} (deleted)", path.display()));
        for context in &contexts {
            assert_eq!(context.start(nowhere, ()).unwrap().join().unwrap(), expected);
        }
    }
    mp::spawn(moves, ())?.join()?;
    Ok(())
}

#[test]
fn its_streams_are_its_parents_by_then() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn says() -> usize {
        println!("out");
        eprintln!("err");
        std::io::stdin().read_to_string(&mut String::new()).unwrap()
    }
    #[mp::process_target]
    fn redirects(writer: mp::Handle<OwnedFd>) {
        let contexts = [context(), context().warm(2)];
        for context in &contexts {
            context.prepare().unwrap();
        }
        for stream in 1..=2 {
            super::support::put_at(&writer, stream);
        }
        for context in &contexts {
            for _ in 0..3 {
                context.start(says, ()).unwrap().join().unwrap();
            }
        }
        // Nothing else holds it open: the servers have let go of what they were started with, too.
    }
    let (mut reader, writer) = std::io::pipe().unwrap();
    mp::spawn(redirects, (mp::Handle::new(writer.into()),))?.join()?;
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\nerr\n".repeat(6));
    Ok(())
}

#[test]
fn who_its_parent_is_by_then_it_is_too() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn becomes_another() -> bool {
        let contexts = [context(), context().warm(1)];
        for context in &contexts {
            context.prepare().unwrap();
        }
        unistd::setsid().unwrap();
        let own = unistd::getpid().as_raw();
        contexts.iter().all(|context| {
            let (_, _, group, session, _) = context.start(kin, ()).unwrap().join().unwrap();
            (group, session) == (own, own)
        })
    }
    assert!(mp::spawn(becomes_another, ())?.join()?);
    Ok(())
}

#[test]
fn ctrl_c_ends_it_and_not_its_server() -> mp::Result<()> {
    let _watchdog = watchdog();
    let context = context().warm(1);
    let (closed, gate) = gate();
    let child = context.start(wait_at, (closed,))?;
    let server = context.server_pid().unwrap();
    let pid = |pid: u32| unistd::Pid::from_raw(pid.cast_signed());
    for _ in 0..3 {
        nix::sys::signal::kill(pid(server), Signal::SIGINT).unwrap();
    }
    child.interrupt()?;
    assert_eq!(child.join().unwrap_err().ended().signal(), Some(libc::SIGINT));
    assert_eq!(context.start(increment, (1,))?.join()?, 2);
    assert_eq!(context.server_pid(), Some(server));
    drop(gate);
    Ok(())
}

type Drawn = (u64, [u8; 16], u64, PathBuf, i32, u32);

/// What must not be the same in two processes.
fn draw() -> Drawn {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    let hash = RandomState::new().hash_one(0);
    let name = tempfile::NamedTempFile::new().unwrap().path().to_owned();
    (rand::random(), bytes, hash, name, unistd::gettid().as_raw(), std::process::id())
}

#[mp::process_target(preload)]
fn draws_before() -> Drawn {
    draw()
}

#[mp::process_target]
fn draws() -> (Drawn, Option<Drawn>) {
    (draw(), mp::preloaded::<Drawn>().cloned())
}

#[test]
fn no_two_draw_the_same_random_numbers() -> mp::Result<()> {
    let _watchdog = watchdog();
    for warm in [0, 3] {
        // The server has drawn some, as libraries do that seed a generator once.
        let context = context().preload(draws_before, ()).warm(warm);
        let drawn = (0..10).map(|_| Ok(context.start(draws, ())?.join()?)).collect::<mp::Result<Vec<_>>>()?;
        let before = drawn[0].1.clone().unwrap();
        assert!(drawn.iter().all(|(_, found)| found.as_ref() == Some(&before)));
        let all: Vec<_> = drawn.into_iter().map(|(own, _)| own).chain([before]).collect();
        let different = |one: fn(&Drawn) -> String| all.iter().map(one).collect::<HashSet<_>>().len() == all.len();
        assert!(different(|drawn| drawn.0.to_string()), "rand");
        assert!(different(|drawn| format!("{:?}", drawn.1)), "getrandom");
        assert!(different(|drawn| drawn.2.to_string()), "seeds of hash maps");
        assert!(different(|drawn| drawn.3.display().to_string()), "names of temporary files");
        assert!(
            different(|drawn| drawn.4.to_string()) && different(|drawn| drawn.5.to_string()),
            "thread and process ids"
        );
    }
    Ok(())
}

#[test]
fn it_has_the_key_that_its_parent_has_by_then() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn key() -> Vec<u8> {
        mp::current_process().authkey().unwrap().as_bytes().to_vec()
    }
    #[mp::process_target]
    fn changes_its_key() -> bool {
        let context = context().warm(2);
        let mut keys = HashSet::from([context.start(key, ()).unwrap().join().unwrap()]);
        for new in [b"one".to_vec(), b"two".to_vec()] {
            mp::current_process().set_authkey(new.clone());
            assert_eq!(context.start(key, ()).unwrap().join().unwrap(), new);
            keys.insert(new);
        }
        keys.len() == 3
    }
    assert!(mp::spawn(changes_its_key, ())?.join()?);
    Ok(())
}

/// Who a mutex of the C library says that has it.
fn owner_in_c_library() -> i32 {
    // As `pthread_mutex_t` begins on all 64-bit machines with glibc: lock, count, owner.
    let mut mutex = [0_i32; 16];
    let place: *mut libc::pthread_mutex_t = mutex.as_mut_ptr().cast();
    #[expect(unsafe_code, reason = "the point is what the C library knows of its thread")]
    // SAFETY: zeroes are a mutex that nobody has, and there is room for one; it ends with this function, in which nobody waits for it.
    unsafe {
        libc::pthread_mutex_lock(place);
    };
    mutex[2]
}

/// Whether the kernel knows where this thread's robust mutexes are.
fn has_robust_list() -> bool {
    let (mut head, mut length) = (0_usize, 0_usize);
    #[expect(unsafe_code, reason = "nobody wraps it")]
    // SAFETY: both are written for the calling thread.
    let failed = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut length) };
    failed == 0 && head != 0
}

#[test]
fn the_c_library_knows_which_thread_it_is() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn checks() -> (bool, bool) {
        (owner_in_c_library() == unistd::gettid().as_raw(), has_robust_list())
    }
    for context in [context(), context().warm(1)] {
        assert_eq!(context.start(checks, ())?.join()?, (true, true));
        let pool = context.pool().workers(1).build()?;
        assert_eq!(pool.call(checks, ())?, (true, true));
    }
    Ok(())
}

/// A lock, and what a mutex of ours remembers of its thread, in the server itself.
#[mp::process_target(preload)]
fn locks_before() -> mp::Result<()> {
    drop(mp::Lock::new()?.lock()?);
    Ok(())
}

#[mp::process_target]
fn dies_with(lock: mp::Lock, locked: mp::Sender<u32>) {
    let _guard = lock.lock();
    locked.send(&std::process::id()).unwrap();
    wait_for_ever();
}

#[test]
fn a_lock_that_it_holds_when_it_is_killed_is_given_on() -> mp::Result<()> {
    let _watchdog = watchdog();
    // Without the two steps after the clone the kernel finds no list, or another thread's number in the lock, and nobody ever has it again.
    for context in [context(), context().preload(locks_before, ()).warm(2)] {
        let (lock, (sender, receiver)) = (mp::Lock::new()?, mp::channel()?);
        for _ in 0..10 {
            let child = context.start(dies_with, (lock.clone(), sender.clone()))?;
            assert_eq!(receiver.recv()?, child.pid());
            assert_eq!(lock.holder(), Some(child.pid()));
            child.kill()?;
            assert!(matches!(lock.lock(), Err(mp::LockError::OwnerDied(_))));
            child.join().unwrap_err();
            drop(lock.lock().or_else(mp::LockError::recover)?);
        }
    }
    Ok(())
}

#[mp::process_target]
fn ten_thousand() -> (Owned, Owned, u64, u64) {
    let context = context();
    let resident = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    let some = |count: u64| {
        (0..count).for_each(|x| assert_eq!(context.start(increment, (x,)).unwrap().join().unwrap(), x + 1))
    };
    some(100);
    let pages = || resident(context.server_pid().unwrap()) + resident(std::process::id());
    let (before, at_first) = (owned(), pages());
    some(10_000);
    (before, owned(), at_first, pages())
}

#[test]
fn ten_thousand_started_and_joined_leave_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after, at_first, at_last) = mp::spawn(ten_thousand, ())?.join()?;
    assert_eq!(before, after);
    assert!(at_last < at_first + 100, "{at_first} pages, then {at_last}");
    Ok(())
}

#[test]
fn many_threads_may_start_by_one_server() -> mp::Result<()> {
    let _watchdog = watchdog();
    for context in [context(), context().warm(3)] {
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let context = &context;
                scope.spawn(move || {
                    for x in 0..50 {
                        let child = context.start(increment, (1000 * thread + x,)).unwrap();
                        assert_eq!(child.join().unwrap(), 1000 * thread + x + 1);
                    }
                });
            }
        });
    }
    Ok(())
}

#[test]
fn what_its_server_cannot_do_is_an_error_that_passes() -> mp::Result<()> {
    let _watchdog = watchdog();
    let context = context().warm(1);
    context.start(increment, (1,))?.join()?;
    let server = unistd::Pid::from_raw(context.server_pid().unwrap().cast_signed());
    let limit = |most: u64| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: 1024 };
        #[expect(unsafe_code, reason = "nobody wraps it")]
        // SAFETY: the struct is there, and nothing is written.
        let failed =
            unsafe { libc::prlimit(server.as_raw(), libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
        assert_eq!(failed, 0);
    };
    // Room for a socket, and none for the descriptor of a process.
    context.prepare()?;
    eventually("its sleep", || super::support::is_waiting(context.server_pid().unwrap()));
    let open = std::fs::read_dir(format!("/proc/{server}/fd")).unwrap().count();
    limit(open as u64 + 1);
    let error = (0..3).find_map(|_| context.start(increment, (1,)).err()).unwrap();
    assert!(error.raw_os_error().is_some() && error.to_string().contains("cannot start process"), "{error}");
    limit(1024);
    eventually("the next start", || {
        context.start(increment, (1,)).is_ok_and(|child| child.join().is_ok_and(|x| x == 2))
    });
    Ok(())
}

#[test]
fn a_copy_of_the_parent_made_by_fork_has_a_server_of_its_own() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn forks() -> (bool, bool) {
        let context = context().warm(1);
        let place = context.start(place_of_code, ()).unwrap().join().unwrap();
        let server = context.server_pid();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        #[expect(unsafe_code, reason = "a fork without exec, as a C library might do one")]
        // SAFETY: this process has one thread.
        match unsafe { unistd::fork() }.unwrap() {
            unistd::ForkResult::Child => {
                let other = context.start(place_of_code, ()).unwrap().join().unwrap();
                drop(context);
                writer.write_all(&[u8::from(other != place)]).unwrap();
                std::process::exit(0)
            }
            unistd::ForkResult::Parent { child } => {
                drop(writer);
                let mut differs = [0];
                reader.read_exact(&mut differs).unwrap();
                nix::sys::wait::waitpid(child, None).unwrap();
                let goes_on = context.start(place_of_code, ()).unwrap().join().unwrap() == place;
                (differs == [1], goes_on && context.server_pid() == server)
            }
        }
    }
    assert_eq!(mp::spawn(forks, ())?.join()?, (true, true));
    Ok(())
}
