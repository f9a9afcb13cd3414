//! Feature `progress`: the bar, on a terminal and elsewhere.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    sync::mpsc,
    thread,
    time::Duration,
};

use multiprocess as mp;
use nix::pty::{OpenptyResult, Winsize, openpty};

/// Nothing here may take this long, on any machine.
const WATCHDOG: Duration = Duration::from_secs(180);
/// Columns of the terminal.
const WIDTH: usize = 100;

/// Fails with an odd number, and says so.
#[mp::process_target]
fn even(x: u64) -> u64 {
    if x % 2 == 1 {
        eprint!("what is ");
        eprintln!("odd about {x}");
        std::process::exit(1);
    }
    x
}

#[mp::process_target]
fn square(x: u64) -> u64 {
    x * x
}

/// A program of its own, to look at its standard error.
#[mp::process_target]
fn program(case: String) {
    let pool = mp::Pool::builder().workers(2).build().unwrap();
    match &*case {
        "known" => {
            let squares = pool.imap(square, 0..5_000).progress_bar("squares").after_all().unwrap();
            assert_eq!(squares.len(), 5_000);
        }
        "failures" => {
            let results: Vec<_> = pool.imap(even, 0..6).progress_bar("evens").collect();
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 3);
        }
        "unknown" => {
            pool.imap(square, (0..50).filter(|x| x % 2 == 0)).progress_bar("some").after_all().unwrap();
        }
        "dropped" => {
            let mut endless = pool.imap(square, 0..).progress_bar("endless");
            endless.nth(9).unwrap().unwrap();
        }
        "two" => {
            let mut first = pool.imap(square, 0..100).progress_bar("first");
            first.next().unwrap().unwrap();
            pool.imap(square, 0..100).progress_bar("second").after_all().unwrap();
            assert_eq!(first.count(), 99);
        }
        other => panic!("{other}"),
    }
    pool.shutdown(false).unwrap();
}

/// What it writes to that end of a terminal or a pipe.
fn seen(case: &str, write: impl Into<OwnedFd>, read: impl Into<OwnedFd>) -> String {
    let (done, watched) = mpsc::channel();
    let mut read = File::from(read.into());
    let reader = thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        // A terminal whose other end is closed has EIO.
        while let Ok(count @ 1..) = read.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        done.send(()).unwrap();
        String::from_utf8(all).unwrap()
    });
    let child = mp::Process::new(program, (case.to_owned(),)).env("TERM", "xterm").stderr(write.into());
    child.start().unwrap().join().unwrap();
    watched.recv_timeout(WATCHDOG).unwrap();
    reader.join().unwrap()
}

fn on_a_terminal(case: &str) -> String {
    let size = Winsize { ws_row: 24, ws_col: WIDTH as u16, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
    seen(case, slave, master)
}

fn elsewhere(case: &str) -> String {
    let (read, write) = io::pipe().unwrap();
    seen(case, write, read)
}

/// The lines of a terminal after it has been shown all that. It knows as much as bars need.
fn screen(shown: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' => {
                assert_eq!(rest.next(), Some('['), "{shown:?}");
                let mut count = String::new();
                let command = rest
                    .by_ref()
                    .find(|c| {
                        !c.is_ascii_digit() || {
                            count.push(*c);
                            false
                        }
                    })
                    .unwrap();
                match command {
                    'A' => row -= count.parse().unwrap_or(1),
                    'B' => row += count.parse().unwrap_or(1),
                    'C' => column += count.parse().unwrap_or(1),
                    'K' if count == "2" => lines[row].clear(),
                    'K' => lines[row].truncate(column),
                    other => panic!("{count}{other} in {shown:?}"),
                }
            }
            c => {
                // Only what comes behind a full line begins the next one.
                if column == WIDTH {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                if lines[row].len() <= column {
                    lines[row].resize(column + 1, ' ');
                }
                lines[row][column] = c;
                column += 1;
            }
        }
        if lines.len() <= row {
            lines.resize(row + 1, Vec::new());
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

fn left(shown: &str) -> Vec<String> {
    let mut lines = screen(shown);
    lines.retain(|line| !line.is_empty());
    lines
}

#[test]
fn nothing_is_written_where_there_is_no_terminal() {
    for case in ["known", "unknown", "dropped", "two"] {
        assert_eq!(elsewhere(case), "", "{case}");
    }
    // Only what workers say: each in several writes, between which others may have theirs.
    let sorted = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.sort_unstable();
        bytes
    };
    let said = elsewhere("failures");
    assert_eq!(sorted(&said), sorted(&[1, 3, 5].map(|x| format!("what is odd about {x}\n")).concat()), "{said:?}");
}

#[test]
fn a_terminal_has_a_bar_and_then_a_line() {
    let shown = on_a_terminal("known");
    assert!(shown.contains("squares") && shown.contains("/5000"), "{shown:?}");
    let left = left(&shown);
    assert!(left.len() == 1 && left[0].starts_with("squares 5000 of 5000 in "), "{left:?}");
}

#[test]
fn what_workers_say_stands_above_the_bar() {
    let shown = on_a_terminal("failures");
    assert!(shown.contains("/6") && shown.contains(" failed"), "{shown:?}");
    let mut left = left(&shown);
    left.sort();
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left[0].starts_with("evens 6 of 6 in ") && left[0].ends_with(", 3 failed"), "{left:?}");
    assert_eq!(left[1..], [1, 3, 5].map(|x| format!("what is odd about {x}")));
}

#[test]
fn a_bar_without_an_end_gets_one() {
    let shown = on_a_terminal("unknown");
    let left = left(&shown);
    assert!(left.len() == 1 && left[0].starts_with("some 25 of 25 in "), "{left:?}");
}

#[test]
fn what_is_dropped_says_how_far_it_came() {
    let left = left(&on_a_terminal("dropped"));
    assert!(left.len() == 1 && left[0].starts_with("endless ") && !left[0].contains(" of "), "{left:?}");
}

#[test]
fn two_bars_stand_below_each_other() {
    let left = left(&on_a_terminal("two"));
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].starts_with("second 100 of 100 in ") && left[1].starts_with("first 100 of 100 in "), "{left:?}");
}
