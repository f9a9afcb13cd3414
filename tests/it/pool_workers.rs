//! What workers are given once, and what they say.

use std::{
    fs,
    io::{Read, pipe},
};

use multiprocess as mp;

use super::support::watchdog;

const LARGE: usize = 8 << 20;

struct Table(Vec<u8>);

#[mp::process_target(worker_state)]
fn keep(bytes: Vec<u8>) -> Table {
    Table(bytes)
}

#[mp::process_target]
fn at(table: &mut Table, place: usize) -> (u32, usize, u8) {
    (std::process::id(), table.0.len(), table.0[place])
}

/// How many files in memory of at least that size this process has open.
fn large_files() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    open.filter(|entry| fs::metadata(entry.path()).is_ok_and(|file| file.len() >= LARGE as u64))
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|name| name.to_string_lossy().contains("memfd:")))
        .count()
}

#[mp::process_target]
fn has_a_pool_with_a_large_state() {
    let bytes: Vec<u8> = (0..LARGE).map(|place| place as u8).collect();
    let pool = mp::Pool::builder().workers(3).worker_state(keep, (bytes,)).build().unwrap();
    for round in 0..20_usize {
        let (pid, length, byte) = pool.call(at, (round * 1001,)).unwrap();
        assert_eq!((length, byte), (LARGE, (round * 1001) as u8));
        // The next one, too, has it from there.
        let killed = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL);
        assert!(killed.is_ok());
        assert_eq!(large_files(), 1, "one for all workers");
    }
    drop(pool);
    assert_eq!(large_files(), 0);
}

#[test]
fn what_is_large_in_a_state_is_in_memory_once_for_all_workers() -> mp::Result<()> {
    let _watchdog = watchdog();
    // A process of its own, as others have files of that size open.
    Ok(mp::spawn(has_a_pool_with_a_large_state, ())?.join()?)
}

#[mp::process_target]
fn says(number: u32) {
    if number == 3 {
        eprint!("half a line");
        return;
    }
    eprintln!("here is {number}\nand more");
    assert!(number != 5, "no five");
}

#[mp::process_target]
fn before() {
    eprintln!("at first");
}

#[mp::process_target]
fn after() {
    eprintln!("at last");
}

#[mp::process_target]
fn has_a_pool_that_tags(tag: bool) {
    let pool = mp::Pool::builder().workers(1).name("w").initializer(before, ()).worker_exit(after).tag_stderr(tag);
    let pool = pool.build().unwrap();
    pool.call(says, (100,)).unwrap();
    let results: Vec<_> = pool.imap(says, 0..6).collect();
    assert!(results[..5].iter().all(Result::is_ok));
    assert!(matches!(results[5], Err(mp::TaskError::Panicked(..))));
    pool.shutdown(false).unwrap();
}

fn said(tag: bool) -> mp::Result<String> {
    let (mut reader, writer) = pipe().unwrap();
    let process = mp::Process::new(has_a_pool_that_tags, (tag,)).env("RUST_BACKTRACE", "0").stderr(writer).start()?;
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    process.join()?;
    Ok(text)
}

#[test]
fn each_line_of_a_worker_says_worker_and_task() -> mp::Result<()> {
    let _watchdog = watchdog();
    let text = said(true)?;
    let of =
        |lines: &[(&str, &str)]| lines.iter().map(|(tag, line)| format!("[w-1{tag}] {line}\n")).collect::<String>();
    let name = "it::pool_workers::says";
    let mut expected = of(&[("", "at first")]);
    for (index, number) in [(0, 100), (0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)] {
        let tag = format!(" {name} {index}");
        expected += &match number {
            3 => of(&[(&tag, "half a line")]),
            _ => of(&[(&tag, &format!("here is {number}")), (&tag, "and more")]),
        };
    }
    let rest = text.strip_prefix(&expected).unwrap_or_else(|| panic!("{text}\ninstead of\n{expected}"));
    let (panic, last) = rest.split_at(rest.find("[w-1] at last").unwrap_or_else(|| panic!("{rest}")));
    assert!(panic.lines().all(|line| line.starts_with(&format!("[w-1 {name} 5] "))), "{panic}");
    assert!(panic.contains("no five"), "{panic}");
    assert_eq!(last, "[w-1] at last\n");
    assert!(!text.contains('\u{1e}'), "{text:?}");
    // And nothing where it is not wanted.
    let text = said(false)?;
    assert!(
        text.starts_with("at first\nhere is 100\nand more\n") && !text.contains('\u{1e}') && !text.contains('['),
        "{text}"
    );
    Ok(())
}
