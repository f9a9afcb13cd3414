//! The same segments from CPython: `python3`, or those that `MULTIPROCESS_PYTHONS` names, with colons between.

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use multiprocess as mp;
use nix::libc::{EEXIST, ENOENT};

use super::{
    named::{name, path},
    orphans::alone,
    support::{eventually, watchdog},
};

/// A CPython that evaluates one line after the other.
pub(crate) struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: RefCell<BufReader<ChildStdout>>,
    pub(crate) version: (u32, u32),
}

/// What it runs: a line is executed; what it assigned to `answer` comes back in one line.
const LOOP: &str = "
import os, struct, sys
from multiprocessing import resource_tracker, shared_memory
from multiprocessing.shared_memory import ShareableList, SharedMemory
print(*sys.version_info[:2], flush=True)
for line in sys.stdin:
    answer = None
    try:
        exec(line)
    except BaseException as error:
        answer = type(error).__name__
    print(repr(answer), flush=True)
";

impl Python {
    fn start(program: &str) -> Option<Self> {
        let mut child = Command::new(program)
            .args(["-c", LOOP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (stdin, mut stdout) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut version = String::new();
        stdout.read_line(&mut version).ok()?;
        let (major, minor) = version.trim().split_once(' ')?;
        Some(Self { child, stdin, stdout: RefCell::new(stdout), version: (major.parse().ok()?, minor.parse().ok()?) })
    }

    /// The `repr` of what this line assigns to `answer`, or the name of the exception.
    pub(crate) fn run(&self, line: &str) -> String {
        writeln!(&self.stdin, "{line}").unwrap();
        let mut answer = String::new();
        self.stdout.borrow_mut().read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    /// Waits for its normal end.
    fn exit(self) {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// All there are; says so if there is none.
pub(crate) fn pythons() -> impl Iterator<Item = Python> {
    let named = std::env::var("MULTIPROCESS_PYTHONS").unwrap_or_else(|_| "python3".to_owned());
    let programs: Vec<_> = named.split(':').map(str::to_owned).collect();
    programs.into_iter().filter_map(|program| {
        let python = Python::start(&program);
        if python.is_none() {
            println!("skipped: there is no {program} with multiprocessing.shared_memory");
        }
        python
    })
}

#[test]
fn both_see_the_same_bytes() -> mp::Result<()> {
    let _watchdog = watchdog();
    for python in pythons() {
        let ours = mp::SharedMemory::create(&name("ours"), 1000)?;
        ours.write(0, b"from rust")?;
        python.run(&format!("m = SharedMemory({:?}); answer = m.size, bytes(m.buf[:9])", ours.name()));
        assert_eq!(python.run("answer = m.size, bytes(m.buf[:9])"), "(1000, b'from rust')");
        assert_eq!(python.run("m.buf[:11] = b'from python'"), "None");
        assert_eq!(ours.read_at::<[u8; 11]>(0)?, *b"from python");

        let name = name("theirs");
        assert_eq!(python.run(&format!("t = SharedMemory({name:?}, create=True, size=5000)")), "None");
        python.run("t.buf[4990:] = bytes(range(10))");
        let theirs = mp::SharedMemory::open(&name)?;
        assert_eq!((theirs.size(), theirs.is_owner(), theirs.has_owner()?), (5000, false, false));
        assert_eq!(theirs.to_vec()?[4990..], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        theirs.write_at(0, 258_u16)?;
        assert_eq!(python.run("answer = struct.unpack('H', t.buf[:2])"), "(258,)");

        // Each is told of the other's names as of its own.
        assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
        assert_eq!(python.run(&format!("SharedMemory({:?}, create=True, size=1)", ours.name())), "'FileExistsError'");
        drop(theirs);
        python.run("t.unlink()");
        assert_eq!(mp::SharedMemory::open(&name).unwrap_err().raw_os_error(), Some(ENOENT));
        let gone = ours.name().to_owned();
        drop(ours);
        assert_eq!(python.run(&format!("SharedMemory({gone:?})")), "'FileNotFoundError'");
        assert_eq!(python.run("answer = bytes(m.buf[:11])"), "b'from python'");
        python.exit();
    }
    Ok(())
}

#[test]
fn an_owner_of_ours_outlives_the_exit_of_pythons_that_were_told() -> mp::Result<()> {
    let _watchdog = watchdog();
    for python in pythons() {
        let ours = mp::SharedMemory::create(&name("told"), 10)?;
        let opened = if python.version >= (3, 13) {
            python.run(&format!("m = SharedMemory({:?}, track=False)", ours.name()))
        } else {
            python.run(&format!("m = SharedMemory({:?})", ours.name()));
            python.run("resource_tracker.unregister(m._name, 'shared_memory')")
        };
        assert_eq!(opened, "None");
        python.run("m.buf[0] = 9");
        python.exit();
        assert!(ours.is_linked()? && ours.read_at::<u8>(0)? == 9);
    }
    Ok(())
}

/// CPython's issue 82300. Nothing that its owner can do keeps the name: a file whose last name was removed cannot be given
/// one. What it can do is tell, go on with the memory, and not remove the name of another.
#[test]
fn a_python_that_was_not_told_removes_the_name_and_nothing_else() -> mp::Result<()> {
    let _watchdog = watchdog();
    #[mp::process_target]
    fn still_there(memory: mp::SharedMemory) -> mp::Result<u8> {
        memory.read_at(0)
    }
    for python in pythons() {
        let ours = mp::SharedMemory::create(&name("untold"), 10)?;
        python.run(&format!("m = SharedMemory({:?}); m.buf[0] = 9", ours.name()));
        python.exit();
        // Its resource tracker is a process of its own.
        eventually("the end of its resource tracker", || !ours.is_linked().unwrap());
        let next = mp::SharedMemory::create(ours.name(), 1)?;
        let (sender, receiver) = mp::channel()?;
        sender.send(&ours)?;
        drop(ours);
        assert!(next.is_linked()?);
        assert_eq!(mp::spawn(still_there, (receiver.recv()?,))?.join()??, 9);
    }
    Ok(())
}

#[test]
fn what_python_left_is_not_ours_to_remove() -> mp::Result<()> {
    let _watchdog = watchdog();
    let _alone = alone();
    for python in pythons() {
        let name = name("left");
        python.run(&format!("m = SharedMemory({name:?}, create=True, size=10)"));
        python.run("resource_tracker.unregister(m._name, 'shared_memory')");
        python.kill();
        assert!(!mp::cleanup()?.contains(&name));
        assert_eq!(mp::SharedMemory::create(&name, 1).unwrap_err().raw_os_error(), Some(EEXIST));
        mp::SharedMemory::open(&name)?.unlink()?;
        assert!(!path(&name).exists());
    }
    Ok(())
}

#[test]
fn numpy_reads_what_rust_wrote_and_the_other_way_round() -> mp::Result<()> {
    let _watchdog = watchdog();
    for python in pythons() {
        if python.run("import numpy") != "None" {
            println!("skipped: this python{}.{} has no numpy", python.version.0, python.version.1);
            continue;
        }
        let numbers: Vec<f64> = (0..100_000).map(f64::from).collect();
        let memory = mp::SharedMemory::create_filled(&name("numpy"), &numbers)?;
        python.run(&format!("m = SharedMemory({:?})", memory.name()));
        python.run("a = numpy.ndarray((1000, 100), dtype=numpy.float64, buffer=m.buf)");
        assert_eq!(python.run("answer = float(a.sum())"), "4999950000.0");
        assert_eq!(python.run("answer = float(a[999, 99])"), "99999.0");
        assert_eq!(python.run("a *= 2"), "None");
        let mut doubled = vec![0.0; numbers.len()];
        memory.read(0, &mut doubled)?;
        assert!(numbers.iter().zip(&doubled).all(|(number, doubled)| number * 2.0 == *doubled));
        python.run("del a");
        python.exit();
    }
    Ok(())
}
