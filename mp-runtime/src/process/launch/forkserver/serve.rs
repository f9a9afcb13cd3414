//! The server: a process that was executed once, and is copied for each child.
//!
//! Until it says that it is ready it is a process like any child: constructors run in it, and preload functions. From then on it
//! runs nothing but this loop, and nobody's code. Preload functions run in a thread of their own, which has ended by then: whatever they
//! keep for each thread (random generators, the seeds of hash maps) goes with it, and is new in each child.

use std::{
    convert::Infallible,
    io::Write,
    os::fd::OwnedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering::{Release, SeqCst},
    thread,
    time::{Duration, Instant},
};

use nix::sys::prctl;

use super::{
    child,
    running::{KNOWN, PID, TICKET},
    wire::{self, Ready, Setup},
};
use crate::{
    codec::{Decoder, Message},
    error::{Error, Result},
    fault,
    ipc::{Incoming, recv_trusted, try_recv},
    process::{
        OnParentDeath,
        bootstrap::{self, keep},
        children, current, exit, lifeline,
        options::Environment,
        outcome::{self, kind},
        panic_hook, preload,
    },
    shm::{arena, words::Words},
    sys::{
        clone3::{Forked, Forker, Side},
        dup2,
        exit::exit_now,
        fflush, getrlimit,
        init_array::Hook,
        maps::{self, Working},
        signal,
        socket::Wait,
        statx::Directory,
        task::{Alone, Tasks, Thread},
    },
};

/// How long threads that have been joined may take to be gone; and others, to end by themselves.
const GRACE: Duration = Duration::from_secs(1);

/// What a copy is, and has.
pub(super) struct Fresh {
    pub(super) forked: Forked,
    /// Whether it may take long until it is told what to do.
    pub(super) waits: bool,
    pub(super) control: OwnedFd,
    /// The parent's, opened anew for this process.
    pub(super) lifeline: OwnedFd,
    /// The server's, which this process is the only one to use from here on.
    pub(super) servers_lifeline: &'static OwnedFd,
    /// The server's control socket, likewise.
    pub(super) orders: &'static OwnedFd,
    /// What to touch while there is time.
    pub(super) working: Working,
    /// To receive into.
    pub(super) buffer: Vec<u8>,
}

struct Server {
    orders: &'static OwnedFd,
    lifeline: &'static OwnedFd,
    known: Words,
    forker: Forker,
    tasks: Tasks,
    working: Working,
    ready: Ready,
}

/// Makes this process a server, which ends with its parent. It is copies of it that go on.
pub(in crate::process) fn serve(hook: Hook, orders: OwnedFd, lifeline: OwnedFd, setup: &Message) -> Result<Infallible> {
    let orders = keep(orders);
    match Server::set_up(hook, orders, lifeline, setup) {
        Ok(server) => child::run(server.run()?),
        Err(error) => {
            outcome::tell(orders, kind::UNFIT, &error)?;
            std::process::exit(1);
        }
    }
}

impl Server {
    fn set_up(hook: Hook, orders: &'static OwnedFd, lifeline: OwnedFd, setup: &Message) -> Result<Self> {
        signal::reset_for_server().map_err(|error| Error::os("reset the signals", error))?;
        let setup: Setup = Decoder::new(setup).take()?;
        let known = setup.known.try_clone().and_then(|memory| Words::received(memory, KNOWN));
        let known = known
            .and_then(|known| known.keep_from_forks().map(|()| known))
            .map_err(|error| Error::os("map the memory that is shared with the parent", error))?;
        let lifeline = keep(lifeline);
        if lifeline::hold(lifeline, OnParentDeath::Kill)? {
            std::process::exit(0);
        }
        current::become_server(&setup, lifeline);
        prctl::set_name(c"mp-forkserver").ok();
        let environment = Environment::default().block()?;
        hook.run_following();
        fault::point_of_server("server-constructed");
        bootstrap::watch(orders)?;

        let preloads = (0..setup.preloads)
            .map(|_| receive(orders, kind::PRELOAD).map(preload::kept))
            .collect::<Result<Vec<_>>>()?;
        if !preloads.is_empty() {
            load(&preloads)?;
        }
        // Of this library's, too, copies know nothing.
        children::forget_all();
        exit::forget_all();
        arena::forget_own();
        // What is buffered would be written by each child again.
        std::io::stdout().flush().ok();
        fflush::all();
        dup2::silence().map_err(|error| Error::os("close the standard streams", error))?;

        let mut tasks = Tasks::of_this_process().map_err(|error| Error::os("look at the threads", error))?;
        let alone = wait_to_be_alone(&mut tasks)?;
        let forker = Forker::new().map_err(|(lacking, error)| {
            Error::unsupported(format!("this system cannot fork as a server must: {lacking} is refused ({error}); use start method `spawn`, or allow it by `or_spawn`"))
        })?;
        if let Err(error) = maps::share(&alone) {
            let error = Error::os("put what is preloaded where forks do not copy it", error);
            outcome::tell(orders, kind::UNFIT, &error).ok();
            exit_now(1);
        }
        let directory = Directory::current().map_err(|error| Error::os("look at the working directory", error))?.into();
        let has_its_environment = Environment::default().block()? == environment;
        let ready = Ready { directory, has_its_environment };
        let working = Working::of_this_process().unwrap_or_default();
        Ok(Self { ready, working, orders, lifeline, known, forker, tasks })
    }

    /// Forks whenever it is asked to. Returns in the copies only; ends with its parent, or when that wants no more.
    fn run(mut self) -> Result<Fresh> {
        fault::point_of_server("server-ready");
        outcome::tell(self.orders, kind::READY, &self.ready)?;
        let mut lifeline = self.another_lifeline();
        // Its copies go on with it: for what they receive, and for what they send.
        let mut buffer = Vec::new();
        loop {
            let message = match recv_trusted(self.orders, buffer, Wait::Yes)? {
                Incoming::Message(message) if message.kind() == kind::FORK => message,
                Incoming::Message(other) => {
                    return Err(Error::protocol(format!("an order is of kind {}", other.kind())));
                }
                Incoming::Nothing | Incoming::End => std::process::exit(0),
            };
            fault::point_of_server("server-ordered");
            let ((ticket, waits), control) = wire::read_order(&message)?;
            buffer = message.into_buffer();
            let side = lifeline.and_then(|lifeline| Ok((self.fork(ticket)?, lifeline)));
            match side {
                Ok((Side::Child(forked), lifeline)) => {
                    let Self { orders, lifeline: servers_lifeline, tasks, known, working, .. } = self;
                    drop(tasks);
                    // A copy has no part of it.
                    std::mem::forget(known);
                    return Ok(Fresh { forked, waits, control, lifeline, servers_lifeline, orders, working, buffer });
                }
                Ok((Side::Original { pid, pidfd }, _)) => {
                    fault::point_of_server("server-forked");
                    wire::forked(&control, pid, &pidfd)?;
                    fault::point_of_server("server-told");
                }
                Err(error) => outcome::tell(&control, kind::NOT_FORKED, &error)?,
            }
            drop(control);
            // While nobody waits.
            lifeline = self.another_lifeline();
        }
    }

    fn another_lifeline(&self) -> Result<OwnedFd> {
        lifeline::reopened(self.lifeline)
    }

    fn fork(&mut self, ticket: u64) -> Result<Side> {
        let alone = self.alone()?;
        let [of, pid] = [TICKET, PID].map(|index| self.known.get(index));
        let (Some(of), Some(pid)) = (of, pid) else { return Err(Error::protocol("the shared memory is too short")) };
        // In this order: there is never the child of another order beside the number of this one.
        pid.store(0, SeqCst);
        of.store(ticket, Release);
        self.forker.fork(alone, pid).map_err(|error| Error::os("make a process", error))
    }

    fn alone(&mut self) -> Result<Alone> {
        self.tasks
            .alone()
            .map_err(|error| Error::os("look at the threads", error))?
            .map_err(|others| not_alone(&others))
    }
}

fn receive(orders: &OwnedFd, kind: u8) -> Result<Message> {
    match try_recv(orders)? {
        Incoming::Message(message) if message.kind() == kind => Ok(message),
        _ => Err(Error::protocol("the parent has not sent what it announced")),
    }
}

/// Runs the preload functions, one after the other, in a thread that has ended when this returns.
fn load(messages: &[Message]) -> Result<()> {
    let run = || -> Result<()> { messages.iter().try_for_each(preload::perform) };
    let caught = || match catch_unwind(AssertUnwindSafe(run)) {
        Ok(loaded) => loaded,
        Err(payload) => {
            let panic = panic_hook::take(payload.as_ref());
            // Its destructor may panic too.
            std::mem::forget(payload);
            Err(Error::refused(format!("a preload function panicked: {panic}")))
        }
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("mp-preload".to_owned()).stack_size(getrlimit::stack());
        let thread = builder.spawn_scoped(scope, caught).map_err(|error| Error::os("start a thread", error))?;
        thread.join().unwrap_or_else(|_| Err(Error::refused("a preload function panicked in its panic")))
    })
}

/// A thread that was joined is there for a moment longer.
fn wait_to_be_alone(tasks: &mut Tasks) -> Result<Alone> {
    let began = Instant::now();
    loop {
        match tasks.alone().map_err(|error| Error::os("look at the threads", error))? {
            Ok(alone) => return Ok(alone),
            Err(others) if began.elapsed() > GRACE => return Err(not_alone(&others)),
            Err(_) => thread::sleep(Duration::from_micros(100)),
        }
    }
}

fn not_alone(others: &[Thread]) -> Error {
    let names: Vec<_> = others.iter().map(|thread| format!("'{}' (tid {})", thread.name, thread.tid)).collect();
    Error::refused(format!(
        "the fork server is not alone: a preload function or a constructor has started thread {}, which would be missing in its copies, with \
         whatever it has locked; start threads in the children, or end them before the function returns",
        names.join(", ")
    ))
}
