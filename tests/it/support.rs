//! What more than one file needs.

use std::{
    fs,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

/// Nothing here may take this long, on any machine. It is what keeps a hang from being a mystery: the
/// process aborts and says which test it was.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(180);

/// Aborts the process if it is not dropped in time.
#[must_use]
pub(crate) struct Watchdog(#[expect(dead_code, reason = "its drop ends the wait")] mpsc::Sender<()>);

pub(crate) fn watchdog() -> Watchdog {
    let (alive, watched) = mpsc::channel();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    thread::spawn(move || {
        if watched.recv_timeout(WATCHDOG) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{test} hangs");
            std::process::abort();
        }
    });
    Watchdog(alive)
}

/// Waits for something that another process does, and that no descriptor announces.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < WATCHDOG, "waited in vain for {what}");
        thread::yield_now();
    }
}

/// What a process owns, as the kernel counts it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Owned {
    pub(crate) fds: Vec<String>,
    pub(crate) threads: usize,
    pub(crate) children: Vec<String>,
    pub(crate) memfds: usize,
}

pub(crate) fn owned() -> Owned {
    let mut fds: Vec<_> = entries("/proc/self/fd")
        .filter_map(|fd| Some(format!("{} {}", fd.file_name()?.display(), fs::read_link(&fd).ok()?.display())))
        // The directory that is being read.
        .filter(|fd| !fd.contains("/proc/"))
        .collect();
    fds.sort();
    let tasks: Vec<_> = entries("/proc/self/task").collect();
    // A fork server, and the memory that it shares with this process, are there as long as the program.
    let server = mp::Context::of_program().server_pid().map(|pid| pid.to_string());
    let children = tasks
        .iter()
        .flat_map(|task| {
            let listed = fs::read_to_string(task.join("children")).unwrap_or_default();
            listed.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|child| Some(child) != server.as_ref())
        .collect();
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    Owned {
        fds,
        threads: tasks.len(),
        children,
        memfds: maps.matches("/memfd:").count() - usize::from(server.is_some()),
    }
}

fn entries(directory: impl AsRef<Path>) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// Whether a process of that id exists and is no zombie.
pub(crate) fn is_running(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

/// Whether a process's main thread, or any thread by its id, sleeps in the kernel.
pub(crate) fn is_waiting(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") S "))
}

/// Whether a thread of this process waits for descriptors, in `poll(2)`. `proc_pid_syscall(5)`
pub(crate) fn is_polling(tid: u32) -> bool {
    let number = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).unwrap_or_default();
    let is = |call: i64| number.split(' ').next() == Some(&call.to_string());
    is(nix::libc::SYS_poll) || is(nix::libc::SYS_ppoll)
}

/// A pipe to tell children by: they wait until it is closed.
pub(crate) fn gate() -> (mp::Handle<OwnedFd>, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    (mp::Handle::new(OwnedFd::from(reader)), writer)
}

/// Blocks until the gate's writer is gone.
pub(crate) fn wait_for(gate: impl AsFd) {
    let file = fs::File::from(gate.as_fd().try_clone_to_owned().unwrap());
    std::io::copy(&mut { file }, &mut std::io::sink()).unwrap();
}

#[mp::process_target]
pub(crate) fn wait_at(gate: mp::Handle<OwnedFd>) {
    wait_for(&gate);
}

#[mp::process_target]
pub(crate) fn wait_for_ever() {
    loop {
        thread::park();
    }
}

#[mp::process_target]
pub(crate) fn increment(x: u64) -> u64 {
    x + 1
}

/// A copy of `fd` at just this number, without close-on-exec, as a C library might leave one.
pub(crate) fn put_at(fd: impl AsFd, number: i32) {
    put_number_at(fd.as_fd().as_raw_fd(), number);
}

/// The same, for a descriptor that is known by its number only.
pub(crate) fn put_number_at(fd: i32, number: i32) {
    #[expect(unsafe_code, reason = "the point is a descriptor that nobody owns")]
    // SAFETY: takes integers; the callers choose numbers that nothing in their process uses.
    let put = unsafe { nix::libc::dup2(fd, number) };
    assert_eq!(put, number);
}

/// A message as it looks on a socket, whether it makes sense or not. `place` is where the body lies, if that is in
/// a memfd, and how long it is.
pub(crate) fn frame(kind: u8, flags: u8, fds: u16, place: (u64, u64), body: &[u8]) -> Vec<u8> {
    let head = [&[b'm', b'p', 0, 1, kind, flags], &fds.to_le_bytes()[..]].concat();
    [&head, &place.0.to_le_bytes()[..], &place.1.to_le_bytes(), body].concat()
}

/// How long the tests with random kills go on.
pub(crate) fn soak() -> Duration {
    let seconds = std::env::var("MP_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// The watchdog of such a test, unless it was asked to go on for long.
pub(crate) fn watchdog_of_soak() -> Option<Watchdog> {
    (soak() < Duration::from_secs(60)).then(watchdog)
}

pub(crate) fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Numbers that look like chance, the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    /// Of another sequence.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Self(88_172_645_463_325_252 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.roll();
        dice
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Keeps `count` children running and kills one after the other at random moments, for as long as [`soak`] says; `after` is called
/// after each death. Returns those that run, and how many have died.
pub(crate) fn kill_at_random(
    count: usize,
    start: impl Fn(usize) -> mp::Process<()>,
    mut after: impl FnMut(usize),
) -> (Vec<mp::Process<()>>, usize) {
    let mut children: Vec<_> = (0..count).map(&start).collect();
    let (began, mut dice, mut kills) = (Instant::now(), Dice::new(), 0);
    while began.elapsed() < soak() {
        let chance = dice.roll();
        spin(Duration::from_micros(chance % 4_000));
        let index = (chance >> 24) as usize % count;
        children[index].kill().unwrap();
        let error = children[index].join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Killed(_)), "{error}");
        after(index);
        children[index] = start(index);
        kills += 1;
    }
    assert!(kills > 10, "{kills}");
    (children, kills)
}
