//! Starts by a server under circumstances that nobody plans for.

use std::{
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    sync::Mutex,
};

use multiprocess as mp;
use nix::{libc, unistd};

use super::support::{eventually, increment, is_running, owned, wait_for_ever, watchdog};

#[test]
fn a_child_that_was_woken_for_nothing_is_there_for_the_next() -> mp::Result<()> {
    let _watchdog = watchdog();
    for warm in [1, 3] {
        let context = mp::Context::forkserver().warm(warm);
        for x in 0..30 {
            for _ in 0..x % 4 {
                let error = context.process(increment, (1,)).current_dir("/no/such").start().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
            }
            assert_eq!(context.start(increment, (x,))?.join()?, x + 1);
        }
    }
    Ok(())
}

#[mp::process_target]
fn says_that_it_lives(log: mp::Handle<OwnedFd>) {
    while unistd::getppid() != unistd::Pid::from_raw(1)
        && mp::parent_process().is_some_and(|parent| parent.is_alive().unwrap())
    {
        std::thread::yield_now();
    }
    std::fs::File::from(log.try_clone().unwrap()).write_all(b"x").unwrap();
}

#[test]
fn who_is_to_go_on_goes_on_however_early_its_parent_ends() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn starts_and_ends(log: mp::Handle<OwnedFd>, warm: usize) {
        let context = mp::Context::forkserver().warm(warm).on_parent_death(mp::OnParentDeath::Continue);
        context.prepare().unwrap();
        let child = context.start(says_that_it_lives, (log,)).unwrap();
        std::mem::forget((child, context));
        nix::sys::signal::raise(nix::sys::signal::SIGKILL).unwrap();
    }
    for warm in [0, 2] {
        for _ in 0..10 {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let child = mp::spawn(starts_and_ends, (mp::Handle::new(writer.into()), warm))?;
            child.join().unwrap_err();
            let mut said = String::new();
            reader.read_to_string(&mut said).unwrap();
            assert_eq!(said, "x");
        }
    }
    Ok(())
}

#[mp::process_target(preload)]
fn sets_a_variable() {
    #[expect(unsafe_code, reason = "the point is what a careless library does")]
    // SAFETY: in the server nobody else reads the environment meanwhile.
    unsafe {
        std::env::set_var("MP_OF_SERVER", "1");
    };
}

#[test]
fn no_environment_is_none_whatever_the_server_has() -> mp::Result<()> {
    #[mp::process_target]
    fn variables() -> usize {
        std::env::vars_os().count()
    }
    let _watchdog = watchdog();
    for context in [mp::Context::forkserver(), mp::Context::forkserver().preload(sets_a_variable, ()).warm(1)] {
        assert_eq!(context.process(variables, ()).env_clear().start()?.join()?, 0);
        assert_eq!(context.process(variables, ()).env_clear().env("A", "").start()?.join()?, 1);
    }
    Ok(())
}

#[mp::process_target(preload)]
fn takes(lock: mp::Lock, counter: mp::Value<u64>, bytes: Vec<u8>) -> mp::Result<(mp::Lock, mp::Value<u64>, usize)> {
    Ok((lock, counter, bytes.len()))
}

#[mp::process_target]
fn counts_under_it() -> mp::Result<usize> {
    let (lock, counter, length) = mp::preloaded::<(mp::Lock, mp::Value<u64>, usize)>().unwrap();
    let _guard = lock.lock()?;
    counter.fetch_add(1)?;
    Ok(*length)
}

#[test]
fn handles_may_be_arguments_of_what_is_preloaded_again_and_again() -> mp::Result<()> {
    let _watchdog = watchdog();
    for method in mp::all_start_methods() {
        let (lock, counter) = (mp::Lock::new()?, mp::Value::new(0_u64)?);
        let context = mp::Context::new(*method).preload(takes, (lock.clone(), counter.clone(), vec![0; 100_000]));
        for round in 1..=3 {
            for _ in 0..3 {
                assert_eq!(context.start(counts_under_it, ())?.join()??, 100_000);
            }
            assert_eq!(counter.get(), 3 * round);
            if let Some(server) = context.server_pid() {
                // The next one is told the same.
                let server = unistd::Pid::from_raw(server.cast_signed());
                nix::sys::signal::kill(server, nix::sys::signal::SIGKILL).unwrap();
            }
        }
        drop(lock.lock()?);
    }
    Ok(())
}

#[mp::process_target(preload)]
fn some(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

#[test]
fn many_and_large_arguments_find_room() -> mp::Result<()> {
    let _watchdog = watchdog();
    for method in mp::all_start_methods() {
        let context = (0..60).fold(mp::Context::new(*method), |context, x| context.preload(some, (vec![x; 40_000],)));
        #[mp::process_target]
        fn last() -> Option<u8> {
            mp::preloaded::<Vec<u8>>()?.last().copied()
        }
        assert_eq!(context.start(last, ())?.join()?, Some(59));
    }
    Ok(())
}

/// Memory of an allocator other than the C library's, which takes it for zero when it has given it back.
struct Foreign(usize, usize);

#[mp::process_target(preload)]
fn foreign(length: usize) -> Foreign {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    let (protection, length) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, length.next_multiple_of(4096));
    #[expect(unsafe_code, reason = "the point is memory that nobody knows of")]
    // SAFETY: new memory, of a length that is not zero.
    let start = unsafe { mmap_anonymous(None, length.try_into().unwrap(), protection, MapFlags::MAP_PRIVATE) }.unwrap();
    let memory = Foreign(start.as_ptr().expose_provenance(), length);
    memory.words().iter().for_each(|word| word.store(7, std::sync::atomic::Ordering::Relaxed));
    memory
}

impl Foreign {
    fn words(&self) -> &[std::sync::atomic::AtomicU64] {
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: mapped for good, aligned to a page, and never touched in another way.
        unsafe {
            std::slice::from_raw_parts(std::ptr::with_exposed_provenance(self.0), self.1 / 8)
        }
    }
}

#[test]
fn memory_of_other_allocators_is_what_it_was() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn gives_it_back() -> (u64, u64) {
        let memory = mp::preloaded::<Foreign>().unwrap();
        let sum = || memory.words().iter().map(|word| word.load(std::sync::atomic::Ordering::Relaxed)).sum();
        let before = sum();
        #[expect(unsafe_code, reason = "what jemalloc and others do")]
        // SAFETY: atomics may be anything.
        let failed =
            unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(memory.0), memory.1, libc::MADV_DONTNEED) };
        assert_eq!(failed, 0);
        (before, sum())
    }
    const LENGTH: usize = 32 << 20;
    let context = mp::Context::forkserver().preload(foreign, (LENGTH,));
    assert_eq!(context.start(gives_it_back, ())?.join()?, (7 * LENGTH as u64 / 8, 0));
    Ok(())
}

#[mp::process_target(preload)]
fn growing(length: usize) -> Mutex<Vec<u8>> {
    Mutex::new(vec![3; length])
}

#[test]
fn what_was_preloaded_may_grow_shrink_and_go() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn changes(length: usize) -> bool {
        let mut bytes = mp::preloaded::<Mutex<Vec<u8>>>().unwrap().lock().unwrap();
        bytes.resize(4 * length, 5);
        let grown =
            bytes.iter().take(length).all(|byte| *byte == 3) && bytes.iter().skip(length).all(|byte| *byte == 5);
        bytes.truncate(length / 2);
        bytes.shrink_to_fit();
        bytes.extend(vec![6; length]);
        let again =
            bytes[..length / 2].iter().all(|byte| *byte == 3) && bytes[length / 2..].iter().all(|byte| *byte == 6);
        *bytes = Vec::new();
        let fresh = vec![0_u8; 4 * length];
        grown && again && fresh.iter().all(|byte| *byte == 0)
    }
    const LENGTH: usize = 20 << 20;
    let context = mp::Context::forkserver().preload(growing, (LENGTH,));
    for _ in 0..2 {
        assert!(context.start(changes, (LENGTH,))?.join()?);
    }
    Ok(())
}

#[test]
fn rights_that_a_process_has_given_up_its_children_do_not_have() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn rights() -> (i32, bool, u32) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let capable =
            !status.lines().any(|line| line.starts_with("CapEff:") && line.trim_end().ends_with("0000000000000000"));
        (nix::sys::prctl::get_no_new_privs().unwrap().into(), capable, unistd::geteuid().as_raw())
    }
    #[mp::process_target]
    fn gives_up() -> bool {
        let contexts = [mp::Context::forkserver(), mp::Context::forkserver().warm(1)];
        let all =
            || contexts.iter().map(|context| context.start(rights, ()).unwrap().join().unwrap()).collect::<Vec<_>>();
        let mut good = all().iter().all(|found| *found == rights());
        // A directory that only its owner may search.
        let directory = tempfile::tempdir().unwrap();
        std::env::set_current_dir(directory.path()).unwrap();
        nix::sys::prctl::set_no_new_privs().unwrap();
        good &= all().iter().all(|found| *found == rights() && found.0 == 1);
        if unistd::geteuid().is_root() {
            unistd::setresuid(65534.into(), 65534.into(), 65534.into()).unwrap();
            good &= all().iter().all(|found| *found == rights() && !found.1);
        }
        std::mem::forget(directory);
        good
    }
    assert!(mp::spawn(gives_up, ())?.join()?);
    Ok(())
}

#[test]
fn a_servers_end_at_its_parents_is_waited_for() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn leaves_some() -> Vec<String> {
        let contexts = [mp::Context::forkserver(), mp::Context::forkserver().warm(3)];
        for context in &contexts {
            context.start(increment, (1,)).unwrap().join().unwrap();
            context.prepare().unwrap();
        }
        std::mem::forget(contexts);
        let mut all = owned().children;
        all.extend(mp::Context::forkserver().server_pid().map(|pid| pid.to_string()));
        all
    }
    let child = mp::spawn(leaves_some, ())?;
    let left = child.join()?;
    assert!(left.len() >= 4, "{left:?}");
    // Not soon: by then.
    assert!(left.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "{left:?}");
    Ok(())
}

#[mp::process_target(preload)]
fn starts_a_helper() -> u32 {
    let child = mp::spawn(wait_for_ever, ()).unwrap();
    let pid = child.pid();
    std::mem::forget(child);
    pid
}

#[test]
fn what_a_preload_function_starts_ends_with_the_server_and_not_with_its_children() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn tells(helper: mp::Sender<u32>) {
        helper.send(mp::preloaded::<u32>().unwrap()).unwrap();
        wait_for_ever();
    }
    let context = mp::Context::forkserver().preload(starts_a_helper, ());
    let (sender, receiver) = mp::channel()?;
    let child = context.start(tells, (sender,))?;
    let helper = receiver.recv()?;
    drop(context);
    eventually("its end", || !is_running(helper));
    assert!(child.is_alive());
    child.kill()?;
    child.join().unwrap_err();
    Ok(())
}
