//! Servers, and children that wait, that die at each step and at any moment: a start is whole or an error, and a function is never run twice.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use multiprocess as mp;
use nix::{
    libc,
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::Pid,
};

use super::support::{
    Dice, Owned, eventually, increment, is_running, owned, soak, spin, wait_for_ever, watchdog, watchdog_of_soak,
};

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

/// Starts by a server that dies at a step, as all who come after it do: the environment says so.
#[mp::process_target]
fn starts_while_servers_die(step: String, warm: usize) -> (Vec<Result<u64, String>>, u64, Owned, Owned) {
    let calls = mp::Value::new(0_u64).unwrap();
    let context = mp::Context::forkserver().warm(warm);
    let start = || match context.start(adds_one, (calls.clone(),)) {
        Ok(child) => Ok(child.join().map_err(|error| error.to_string())?),
        Err(error) => Err(error.to_string()),
    };
    let mut results = vec![start()];
    let mut before = owned();
    results.extend((0..5).map(|_| start()));
    let mut after = owned();
    // There is a server at the one moment, perhaps, and none at the other.
    for seen in [&mut before, &mut after] {
        assert!(seen.children.len() <= 1 + warm, "{step}: {seen:?}");
        (seen.fds, seen.memfds) = (Vec::new(), 0);
        seen.children.clear();
    }
    drop(context);
    eventually("the end of all", || owned().children.is_empty());
    (results, calls.get(), before, after)
}

#[mp::process_target]
fn adds_one(calls: mp::Value<u64>) -> u64 {
    calls.fetch_add(1).unwrap()
}

#[test]
fn a_server_killed_at_any_step_is_an_error_or_replaced() -> mp::Result<()> {
    let _watchdog = watchdog();
    for warm in [0, 2] {
        for (step, works) in [
            ("server-constructed", false),
            ("server-ready", false),
            // Nothing exists of the child yet: it is asked of another server, which dies as well.
            ("server-ordered", false),
            // The child exists, and nobody was told: its parent finds it all the same.
            ("server-forked", true),
            ("server-told", true),
        ] {
            let child = mp::Process::new(starts_while_servers_die, (step.to_owned(), warm))
                .start_method(mp::StartMethod::Spawn)
                .env("MULTIPROCESS_FAULT", step)
                .start()?;
            let (results, calls, before, after) = child.join()?;
            let worked = results.iter().filter(|result| result.is_ok()).count();
            assert_eq!(worked as u64, calls, "{step}: each call that was made was answered, and made once");
            assert_eq!(worked == results.len(), works, "{step}, {warm} warm: {results:?}");
            assert!(works || worked == 0, "{step}, {warm} warm: {results:?}");
            for error in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(error.contains("fork server"), "{step}: {error}");
            }
            assert_eq!(before, after, "{step}");
        }
    }
    Ok(())
}

#[test]
fn a_child_killed_before_it_has_looked_at_anything_is_an_error_and_leaves_nothing() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn starts_some_that_die(warm: usize) -> (bool, Owned, Owned) {
        let context = mp::Context::forkserver().warm(warm);
        let dies = || match context.start(increment, (1,)) {
            Ok(child) => matches!(child.join(), Err(mp::JoinError::Killed(_))),
            // One that waited was dead already, and so was each that was made in its place.
            Err(error) => error.to_string().contains("cannot start process"),
        };
        let mut all = dies();
        let before = owned();
        all &= (0..20).all(|_| dies());
        (all, before, owned())
    }
    for warm in [0, 2] {
        let child = mp::Process::new(starts_some_that_die, (warm,))
            .start_method(mp::StartMethod::Spawn)
            .env("MULTIPROCESS_FAULT", "forked")
            .start()?;
        let (all, mut before, mut after) = child.join()?;
        assert!(all);
        // Those that wait, dead or alive, are as many as there are to be.
        for seen in [&mut before, &mut after] {
            assert!(seen.children.len() <= 1 + warm, "{seen:?}");
            seen.children.clear();
            seen.fds.clear();
        }
        assert_eq!(before, after);
    }
    Ok(())
}

#[mp::process_target]
fn starts_while_the_server_is_killed(warm: usize) -> (u64, u64, u64, usize) {
    let context = &mp::Context::forkserver().warm(warm);
    let calls = mp::Value::new(0_u64).unwrap();
    let (answered, refused, began) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    let mut kills = 0;
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (calls, answered, refused) = (calls.clone(), &answered, &refused);
            scope.spawn(move || {
                for x in 0.. {
                    if began.elapsed() > soak() {
                        break;
                    }
                    let argument = 1_000_000 * thread + x;
                    match context.start(adds_and_returns, (calls.clone(), argument)) {
                        Ok(child) => {
                            assert_eq!(child.join().unwrap(), argument);
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            assert!(error.to_string().contains("fork server"), "{error}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        let mut dice = Dice::of(warm as u64);
        while began.elapsed() < soak() {
            spin(std::time::Duration::from_micros(dice.roll() % 6_000));
            if let Some(server) = context.server_pid() {
                kills += u64::from(kill(pid(server), Signal::SIGKILL).is_ok());
            }
        }
    });
    assert!(kills > 10, "{kills}");
    (answered.into_inner(), refused.into_inner(), calls.get(), mp::active_children().len())
}

#[mp::process_target]
fn adds_and_returns(calls: mp::Value<u64>, x: u64) -> u64 {
    calls.fetch_add(1).unwrap();
    x
}

#[test]
fn random_kills_of_servers_cost_no_call_and_repeat_none() -> mp::Result<()> {
    let _watchdog = watchdog_of_soak();
    #[mp::process_target]
    fn and_leave_nothing(warm: usize) -> (u64, u64, u64, usize, Vec<String>, usize) {
        let (answered, refused, calls, active) = starts_while_the_server_is_killed(warm);
        // A thread that was joined is there for a moment longer.
        eventually("the end of all", || owned().children.is_empty() && owned().threads == 1);
        let left = owned();
        (answered, refused, calls, active, left.children, left.threads)
    }
    for warm in [0, 3] {
        let child = mp::Process::new(and_leave_nothing, (warm,)).start_method(mp::StartMethod::Spawn).start()?;
        let (answered, refused, calls, active, children, threads) = child.join()?;
        assert_eq!(answered, calls, "{refused} starts were refused");
        assert!(answered > 10);
        assert_eq!((active, children, threads), (0, Vec::new(), 1));
    }
    Ok(())
}

#[test]
fn a_server_that_was_stopped_and_is_killed_keeps_nobody() -> mp::Result<()> {
    let _watchdog = watchdog();
    let context = mp::Context::forkserver().warm(1);
    context.start(increment, (1,))?.join()?;
    context.prepare()?;
    let server = context.server_pid().unwrap();
    kill(pid(server), Signal::SIGSTOP).unwrap();
    eventually("the stop", || {
        let stat = std::fs::read_to_string(format!("/proc/{server}/stat")).unwrap();
        stat.contains(") T ")
    });
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..6)
            .map(|x| {
                scope.spawn({
                    let context = &context;
                    move || context.start(increment, (x,))?.join().map_err(mp::Error::from)
                })
            })
            .collect();
        // All but the one for which a child waits do.
        eventually("one that is there", || starts.iter().any(|start| start.is_finished()));
        kill(pid(server), Signal::SIGKILL).unwrap();
        for (x, start) in (0..).zip(starts) {
            assert_eq!(start.join().unwrap().unwrap(), x + 1);
        }
    });
    assert_ne!(context.server_pid(), Some(server));
    Ok(())
}

#[test]
fn a_child_that_is_killed_while_it_waits_is_replaced() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn kills_those_that_wait() -> (usize, Vec<String>) {
        let context = mp::Context::forkserver().warm(3);
        let mut killed = 0;
        for x in 0..20 {
            context.prepare().unwrap();
            let server = context.server_pid().unwrap().to_string();
            for child in owned().children.iter().filter(|child| **child != server) {
                let child = child.parse().unwrap();
                kill(pid(child), Signal::SIGKILL).unwrap();
                eventually("its end", || !is_running(child));
                killed += 1;
            }
            assert_eq!(context.start(increment, (x,)).unwrap().join().unwrap(), x + 1);
        }
        drop(context);
        (killed, owned().children)
    }
    let child = mp::Process::new(kills_those_that_wait, ()).start_method(mp::StartMethod::Spawn).start()?;
    let (killed, left) = child.join()?;
    assert!(killed >= 40, "{killed}");
    assert_eq!(left, [] as [String; 0]);
    Ok(())
}

/// Whichever descriptor cannot be had: the start is an error, and nothing of it runs or stays.
#[test]
fn a_want_of_descriptors_is_an_error_and_leaves_nothing() -> mp::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    let _watchdog = watchdog();
    #[mp::process_target]
    fn starts_with_few(warm: usize) -> (usize, usize, u64, Vec<String>) {
        let context = mp::Context::forkserver().warm(warm);
        let calls = mp::Value::new(0_u64).unwrap();
        context.start(adds_one, (calls.clone(),)).unwrap().join().unwrap();
        context.prepare().unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
        let (mut answered, mut refused) = (1, 0);
        for spare in 0..14 {
            for _ in 0..3 {
                let mut taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
                taken.truncate(taken.len().saturating_sub(spare));
                match context.start(adds_one, (calls.clone(),)) {
                    Ok(child) => {
                        drop(taken);
                        child.join().unwrap();
                        answered += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                        refused += 1;
                    }
                }
            }
        }
        context.start(adds_one, (calls.clone(),)).unwrap().join().unwrap();
        answered += 1;
        drop(context);
        let left = owned().children;
        (answered, refused, calls.get(), left)
    }
    for warm in [0, 2] {
        let child = mp::Process::new(starts_with_few, (warm,)).start_method(mp::StartMethod::Spawn).start()?;
        let (answered, refused, calls, left) = child.join()?;
        assert!(answered > 2 && refused > 2, "{answered} and {refused}");
        assert!((calls as usize) >= answered, "{calls} calls, {answered} answers");
        assert_eq!(left, [] as [String; 0]);
    }
    Ok(())
}

#[test]
fn nothing_outlives_a_parent_that_is_killed() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn has_all_kinds(tell: mp::Sender<Vec<u32>>) {
        let contexts = [mp::Context::forkserver(), mp::Context::forkserver().warm(3)];
        let children: Vec<_> = contexts.iter().map(|context| context.start(wait_for_ever, ()).unwrap()).collect();
        contexts[1].prepare().unwrap();
        let mut pids: Vec<_> = owned().children.iter().map(|pid| pid.parse().unwrap()).collect();
        pids.extend(mp::Context::forkserver().server_pid());
        assert!(pids.len() >= children.len() + 4, "{pids:?}");
        tell.send(&pids).unwrap();
        wait_for_ever();
    }
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let (tell, told) = mp::channel()?;
        let child = mp::spawn(has_all_kinds, (tell,))?;
        let pids = told.recv()?;
        child.signal(signal)?;
        child.join().unwrap_err();
        eventually("the end of all", || !pids.iter().any(|&pid| is_running(pid)));
    }
    Ok(())
}

/// Has a system call refused in this process and all below it, if its first argument is that.
fn refuse(call: i64, argument: Option<u32>, errno: i32) {
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let statement = |code: u32, k| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let unless = |k, jf| libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf, k };
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let result = |k| statement(libc::BPF_RET | libc::BPF_K, k);
    // `struct seccomp_data`: the call's number, the machine, where it was made, its arguments.
    let mut filter = vec![load(0), unless(call as u32, if argument.is_some() { 3 } else { 1 })];
    if let Some(argument) = argument {
        filter.extend([load(16), unless(argument, 1)]);
    }
    filter.extend([result(ERRNO | errno.unsigned_abs()), result(ALLOW)]);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    prctl::set_no_new_privs().unwrap();
    #[expect(unsafe_code, reason = "nobody wraps it")]
    // SAFETY: the program and the statements that it points to live for the length of the call.
    let failed = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(failed, 0);
}

#[mp::process_target]
fn without(call: i64, argument: Option<u32>, errno: i32, or_spawn: bool) -> Result<u64, (String, bool)> {
    refuse(call, argument, errno);
    let context = mp::Context::forkserver();
    let context = if or_spawn { context.or_spawn() } else { context };
    let started = context.prepare().and_then(|()| Ok(context.start(increment, (1,))?.join()?));
    assert_eq!(owned().children, [] as [String; 0]);
    started.map_err(|error| (error.to_string(), error.is_unsupported()))
}

#[test]
fn a_system_that_lacks_a_piece_is_unsupported_and_says_which() -> mp::Result<()> {
    let _watchdog = watchdog();
    const PR_GET_TID_ADDRESS: u32 = 40;
    for (call, argument, errno, name) in [
        (libc::SYS_clone3, None, libc::ENOSYS, "clone3"),
        (libc::SYS_clone3, None, libc::EPERM, "clone3"),
        (libc::SYS_prctl, Some(PR_GET_TID_ADDRESS), libc::EINVAL, "PR_GET_TID_ADDRESS"),
        (libc::SYS_get_robust_list, None, libc::ENOSYS, "get_robust_list"),
    ] {
        let run = |or_spawn| {
            mp::Process::new(without, (call, argument, errno, or_spawn)).start_method(mp::StartMethod::Spawn).start()
        };
        let (error, unsupported) = run(false)?.join()?.unwrap_err();
        assert!(unsupported && error.contains(name) && error.contains("or_spawn"), "{error}");
        assert_eq!(run(true)?.join()?, Ok(2));
    }
    Ok(())
}
