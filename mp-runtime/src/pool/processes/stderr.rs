//! What workers write to their standard error: passed on to this process's, and its end kept for the error of a task that ends its worker.

use std::{
    fs::File,
    io::Read,
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::tags::Tagger;
#[cfg(feature = "progress")]
use crate::pool::bar;
use crate::{
    error::{Error, Result},
    sys::{
        eventfd, pipe,
        poll::{self, Deadline},
        signal,
    },
};

/// So much of it is kept.
const KEPT: usize = 4 << 10;
/// So many lines of that are shown.
const LINES: usize = 20;

/// Nobody has anything on the terminal that it could get into.
#[cfg(not(feature = "progress"))]
mod bar {
    use std::io::{Write, stderr};

    pub(super) fn is_shown() -> bool {
        false
    }

    pub(super) fn write_above(said: &[u8]) {
        // If it is closed or broken there is nobody to tell.
        stderr().write_all(said).ok();
    }
}

/// Of one worker.
#[derive(Debug)]
pub(super) struct LastWords {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None`: nothing more comes.
    pipe: Option<File>,
    last: Vec<u8>,
    /// What was read and not passed on.
    unsaid: Vec<u8>,
    tagger: Option<Tagger>,
}

impl LastWords {
    /// For a worker that is about to be started, and the end that it writes to.
    pub(super) fn new(tagger: Option<Tagger>) -> Result<(Arc<Self>, OwnedFd)> {
        let doing = |error| Error::os("make a pipe for a worker's standard error", error);
        let (reader, writer) = pipe::create().map_err(doing)?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|errno| doing(errno.into()))?;
        let state = State { pipe: Some(reader.into()), last: Vec::new(), unsaid: Vec::new(), tagger };
        Ok((Arc::new(Self { state: Mutex::new(state) }), writer))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines, up to what has been written by now.
    pub(super) fn last(&self) -> String {
        let mut state = self.state();
        state.read();
        let text = String::from_utf8_lossy(&state.last);
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n")
    }

    /// Takes what is to be passed on. Returns it, and whether more may come.
    fn take(&self, is_over: bool) -> (Vec<u8>, bool) {
        let mut state = self.state();
        state.read();
        let more = state.pipe.is_some();
        let mut said = mem::take(&mut state.unsaid);
        // Neither a tag nor a bar belongs into the middle of a line; unless that is very long.
        let in_lines = state.tagger.is_some() || bar::is_shown();
        if in_lines && more && !is_over && said.len() < KEPT {
            let end = said.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            state.unsaid = said.split_off(end);
        }
        (said, more)
    }

    fn pipe(&self) -> Option<OwnedFd> {
        self.state().pipe.as_ref()?.as_fd().try_clone_to_owned().ok()
    }
}

impl State {
    /// Reads what is there.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    let said = buffer.get(..length).unwrap_or_default();
                    match &mut self.tagger {
                        None => {
                            self.last.extend_from_slice(said);
                            self.unsaid.extend_from_slice(said);
                        }
                        Some(tagger) => tagger.take(said, &mut self.unsaid, &mut self.last),
                    }
                    let surplus = self.last.len().saturating_sub(KEPT);
                    self.last.drain(..surplus);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// The thread that passes it on. It alone waits, should nobody read what this process says.
#[derive(Debug)]
pub(super) struct Listener {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    all: Mutex<Vec<Arc<LastWords>>>,
    changed: OwnedFd,
    is_over: AtomicBool,
}

impl Listener {
    pub(super) fn start() -> Result<Self> {
        let changed = eventfd::create().map_err(|error| Error::os("make an eventfd", error))?;
        let shared = Arc::new(Shared { all: Mutex::default(), changed, is_over: AtomicBool::new(false) });
        let of_thread = Arc::clone(&shared);
        let doing = |error| Error::os("start a pool's thread", error);
        // The program's signal handlers are not to run on a thread that it does not know.
        let _blocked = signal::block_all().map_err(doing)?;
        let thread = thread::Builder::new().name("mp-pool-stderr".to_owned()).spawn(move || of_thread.run());
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(doing)?)) })
    }

    /// Listens to one more.
    pub(super) fn add(&self, words: &Arc<LastWords>) {
        self.shared.all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(words));
        eventfd::tell(&self.shared.changed);
    }

    /// Passes on what has been written by now, and ends.
    pub(super) fn stop(&self) {
        self.shared.is_over.store(true, Ordering::Release);
        eventfd::tell(&self.shared.changed);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It has no reason to panic.
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            // In this order: what is told after the first is told to the poll below.
            eventfd::forget(&self.changed);
            let is_over = self.is_over.load(Ordering::Acquire);
            let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut ended = Vec::new();
            for words in &all {
                let (said, more) = words.take(is_over);
                if !said.is_empty() {
                    bar::write_above(&said);
                }
                if !more {
                    ended.push(Arc::clone(words));
                }
            }
            if is_over {
                return;
            }
            let is_known = |words: &Arc<LastWords>| !ended.iter().any(|other| Arc::ptr_eq(other, words));
            let mut listened = self.all.lock().unwrap_or_else(PoisonError::into_inner);
            listened.retain(is_known);
            let pipes: Vec<_> = listened.iter().filter_map(|words| words.pipe()).collect();
            let is_short = pipes.len() < listened.len();
            drop(listened);
            let mut fds: Vec<BorrowedFd<'_>> = vec![self.changed.as_fd()];
            fds.extend(pipes.iter().map(AsFd::as_fd));
            // With no descriptors to be had for the wait, it is looked now and then.
            let deadline = if is_short { Deadline::after(Duration::from_millis(100)) } else { Deadline::NEVER };
            if poll::any_readable(&fds, deadline).is_err() {
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}
