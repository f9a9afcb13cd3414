//! What a function has made in a server before it forks, and what it must not leave there.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use multiprocess as mp;

use super::support::{increment, is_running, wait_for_ever, watchdog};

struct Table(Vec<u64>);

#[mp::process_target(preload)]
fn squares(count: u64, runs: mp::Sender<u32>) -> mp::Result<Table> {
    runs.send(&std::process::id())?;
    Ok(Table((0..count).map(|x| x * x).collect()))
}

#[mp::process_target]
fn square_of(x: usize) -> Option<u64> {
    mp::preloaded::<Table>().map(|table| table.0[x])
}

#[test]
fn it_is_run_once_and_seen_by_all_children() -> mp::Result<()> {
    let _watchdog = watchdog();
    for warm in [0, 2] {
        let (sender, runs) = mp::channel()?;
        let context = mp::Context::forkserver().preload(squares, (1_000, sender)).warm(warm);
        for x in 0..20 {
            assert_eq!(context.start(square_of, (x,))?.join()?, Some((x * x) as u64));
        }
        let pool = context.pool().workers(2).build()?;
        assert_eq!(pool.map(square_of, 0..100)?[99], Some(99 * 99));
        assert_eq!(Some(runs.recv()?), context.server_pid());
        assert!(runs.try_recv().is_err(), "once");
        // Nobody else has it.
        assert_eq!(mp::spawn(square_of, (1,))?.join()?, None);
    }
    assert!(mp::preloaded::<Table>().is_none());
    Ok(())
}

#[test]
fn a_spawned_process_runs_it_itself() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, runs) = mp::channel()?;
    let context = mp::Context::spawn().preload(squares, (1_000, sender));
    for x in 1..3 {
        let child = context.start(square_of, (x,))?;
        assert_eq!(child.join()?, Some((x * x) as u64));
        assert_eq!(runs.recv()?, child.pid());
    }
    Ok(())
}

struct First(u32);
struct Second(u32);

#[mp::process_target(preload)]
fn first(x: u32) -> First {
    First(x)
}

#[mp::process_target(preload)]
fn second(y: u32) -> Second {
    Second(mp::preloaded::<First>().map_or(0, |found| found.0) + y)
}

#[test]
fn several_are_run_in_order_and_the_last_of_a_type_is_found() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn both() -> Option<(u32, u32)> {
        Some((mp::preloaded::<First>()?.0, mp::preloaded::<Second>()?.0))
    }
    for method in mp::all_start_methods() {
        let context = mp::Context::new(*method).preload(first, (1,)).preload(second, (10,)).preload(first, (5,));
        assert_eq!(context.start(both, ())?.join()?, Some((5, 11)));
    }
    Ok(())
}

/// What a child has of its own, and what it shares, in KiB.
#[mp::process_target]
fn weigh() -> (u64, u64, u64) {
    let table = mp::preloaded::<Vec<u64>>().unwrap();
    let sum = table.iter().step_by(512).sum();
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let field = |name: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok()).unwrap()
    };
    (sum, field("Anonymous:"), field("Rss:"))
}

#[mp::process_target(preload)]
fn large(count: u64) -> Vec<u64> {
    (0..count).collect()
}

#[mp::process_target]
fn size_of_page_tables() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    text.lines().find_map(|line| line.strip_prefix("VmPTE:")?.split_whitespace().next()?.parse().ok()).unwrap()
}

/// A process that touches all of a gigabyte without copying it, and starts with page tables for none of it: that is why it starts as fast.
#[test]
fn a_gigabyte_is_shared_and_costs_a_start_nothing() -> mp::Result<()> {
    const COUNT: u64 = 1 << 27;
    let _watchdog = watchdog();
    let plain = mp::Context::forkserver().start(size_of_page_tables, ())?.join()?;
    let context = mp::Context::forkserver().preload(large, (COUNT,));
    let tables = context.start(size_of_page_tables, ())?.join()?;
    assert!(tables < plain + 100, "{tables} KiB of page tables, {plain} without preloading");
    let children = [context.start(weigh, ())?, context.start(weigh, ())?];
    for child in children {
        let (sum, own, all) = child.join()?;
        assert_eq!(sum, (0..COUNT).step_by(512).sum::<u64>());
        assert!(all > 1 << 20, "it has seen {all} KiB");
        assert!(own < 8 << 10, "and has {own} KiB of its own");
    }
    Ok(())
}

#[mp::process_target(preload)]
fn counter() -> (AtomicU64, Vec<AtomicU64>) {
    (AtomicU64::new(7), (0..1 << 20).map(AtomicU64::new).collect())
}

#[test]
fn what_one_child_changes_no_other_sees() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn adds(place: usize) -> (u64, u64) {
        let (small, many) = mp::preloaded::<(AtomicU64, Vec<AtomicU64>)>().unwrap();
        (small.fetch_add(1, Ordering::Relaxed), many[place].fetch_add(1, Ordering::Relaxed))
    }
    let context = mp::Context::forkserver().preload(counter, ()).warm(1);
    for place in [0, 5, 1 << 19, 5] {
        assert_eq!(context.start(adds, (place,))?.join()?, (7, place as u64));
    }
    Ok(())
}

#[mp::process_target(preload)]
fn fails(how: String) -> Result<(), String> {
    match how.as_str() {
        "returns an error" => return Err("the model is not there".to_owned()),
        "panics" => panic!("the model is damaged"),
        "exits" => std::process::exit(9),
        "is killed" => nix::sys::signal::raise(nix::sys::signal::SIGKILL).unwrap(),
        "leaves a thread" => {
            thread::Builder::new().name("forgotten".to_owned()).spawn(*wait_for_ever).unwrap();
        }
        "joins a thread" => {
            let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| ())).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| ()))));
        }
        _ => {}
    }
    Ok(())
}

#[test]
fn one_that_fails_is_an_error_of_each_start_that_says_why() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn all() {
        for (how, why) in [
            ("returns an error", "the model is not there"),
            ("panics", "the model is damaged"),
            ("exits", "code 9"),
            ("is killed", "SIGKILL"),
            ("leaves a thread", "'forgotten' (tid "),
        ] {
            let context = mp::Context::forkserver().preload(fails, (how.to_owned(),)).warm(1);
            for _ in 0..2 {
                for error in [context.prepare().unwrap_err(), context.start(increment, (1,)).unwrap_err()] {
                    let text = error.to_string();
                    assert!(text.contains(why) && text.contains("fork server"), "{how}: {text}");
                    assert!(error.is_refused(), "{how}: {text}");
                }
            }
            assert_eq!(context.server_pid(), None);
            let error = context.pool().workers(1).build().unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(super::support::owned().children, [] as [String; 0], "no server is left");
    }
    mp::Process::new(all, ()).stderr(mp::Stdio::null()).start()?.join()?;
    let context = mp::Context::forkserver().preload(fails, ("joins a thread".to_owned(),));
    assert_eq!(context.start(increment, (1,))?.join()?, 2);
    Ok(())
}

#[test]
fn one_that_fails_where_it_is_spawned_is_a_refusal() -> mp::Result<()> {
    let _watchdog = watchdog();
    let context = mp::Context::spawn().preload(fails, ("returns an error".to_owned(),));
    let error = context.start(increment, (1,))?.join().unwrap_err();
    assert!(matches!(error, mp::JoinError::Refused(..)), "{error}");
    assert!(error.to_string().contains("the model is not there"), "{error}");
    Ok(())
}

#[mp::process_target(preload)]
fn leaves_traces(log: mp::Handle<OwnedFd>) -> File {
    print!("said once");
    let copy = log.try_clone().unwrap();
    mp::at_exit(move || File::from(copy).write_all(b"by the server's exit function\n").unwrap()).unwrap();
    mp::spawn(increment, (1,)).unwrap().join().unwrap();
    // (A handle that is dropped leaves a thread, which looks after the child.)
    std::mem::forget(mp::spawn(wait_for_ever, ()).unwrap());
    File::open("/dev/zero").unwrap()
}

#[mp::process_target]
fn looks_for_traces(log: mp::Handle<OwnedFd>) -> (usize, usize, u8, Option<u32>) {
    let copy = log.try_clone().unwrap();
    mp::at_exit(move || File::from(copy).write_all(b"by its own\n").unwrap()).unwrap();
    let mut byte = [1];
    mp::preloaded::<File>().unwrap().read_exact(&mut byte).unwrap();
    let child = mp::spawn(increment, (1,)).unwrap();
    child.join().unwrap();
    (
        mp::active_children().len(),
        super::support::owned().children.len(),
        byte[0],
        mp::parent_process().map(|p| p.pid()),
    )
}

#[test]
fn what_it_registered_is_not_its_childrens() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (mut out, writer) = std::io::pipe().unwrap();
    #[mp::process_target]
    fn starts(log: mp::Handle<OwnedFd>) {
        let copy = || mp::Handle::new(log.try_clone().unwrap());
        let context = mp::Context::forkserver().preload(leaves_traces, (copy(),)).warm(1);
        for _ in 0..3 {
            let found = context.start(looks_for_traces, (copy(),)).unwrap().join().unwrap();
            assert_eq!(found, (0, 0, 0, Some(std::process::id())));
        }
    }
    let (mut log, log_writer) = std::io::pipe().unwrap();
    let child = mp::Process::new(starts, (mp::Handle::new(log_writer.into()),)).stdout(writer).start()?;
    child.join()?;
    let (mut said, mut logged) = (String::new(), String::new());
    out.read_to_string(&mut said).unwrap();
    log.read_to_string(&mut logged).unwrap();
    assert_eq!((said.as_str(), logged.as_str()), ("said once", "by its own\n".repeat(3).as_str()));
    Ok(())
}

#[mp::process_target(preload)]
fn moves_away() {
    std::env::set_current_dir("/proc").unwrap();
    #[expect(unsafe_code, reason = "the point is what a careless library does")]
    // SAFETY: in the server nobody else reads the environment meanwhile.
    unsafe {
        std::env::set_var("MP_OF_SERVER", "1");
    };
}

#[test]
fn its_place_is_not_its_childrens() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn place() -> (std::path::PathBuf, Option<String>, usize) {
        (std::env::current_dir().unwrap(), std::env::var("MP_OF_SERVER").ok(), std::env::vars().count())
    }
    for warm in [0, 2] {
        let context = mp::Context::forkserver().preload(moves_away, ()).warm(warm);
        for _ in 0..3 {
            let expected = (std::env::current_dir().unwrap(), None, std::env::vars().count());
            assert_eq!(context.start(place, ())?.join()?, expected);
        }
    }
    Ok(())
}

#[test]
fn its_processes_end_with_the_server() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target(preload)]
    fn starts_a_process() -> u32 {
        let child = mp::spawn(wait_for_ever, ()).unwrap();
        let pid = child.pid();
        std::mem::forget(child);
        pid
    }
    #[mp::process_target]
    fn found() -> Option<u32> {
        mp::preloaded::<u32>().copied()
    }
    let context = mp::Context::forkserver().preload(starts_a_process, ());
    let pid = context.start(found, ())?.join()?.unwrap();
    assert!(is_running(pid));
    drop(context);
    super::support::eventually("its end", || !is_running(pid));
    Ok(())
}

#[test]
fn an_argument_that_does_not_encode_is_an_error_of_the_start() -> mp::Result<()> {
    use std::os::unix::ffi::OsStringExt;
    #[mp::process_target(preload)]
    fn reads(_path: std::path::PathBuf) {}
    let _watchdog = watchdog();
    let not_text = std::path::PathBuf::from(std::ffi::OsString::from_vec(vec![0xff]));
    for method in mp::all_start_methods() {
        let context = mp::Context::new(*method).preload(reads, (not_text.clone(),));
        let error = context.start(increment, (1,)).unwrap_err();
        assert!(error.is_encode(), "{error}");
    }
    Ok(())
}
