//! What processes have in common that are made in one place: how they are started, and what is said of all of them.

use std::{
    ffi::OsStr,
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize};

use super::{
    Builder, OnParentDeath, PreloadTarget, Process, StartMethod, Target,
    current::current,
    launch::{ForkServer, Plan, Preload},
    options::{Environment, Launch, Options},
    target::JobTarget,
};
use crate::error::{Error, Result};

/// How processes and pools are started, and what is said of all of them: a value, which makes them.
///
/// `Context::spawn()` has every process executed anew. `Context::forkserver()` has them copied, from one process of this program that was executed
/// once and has a single thread: that takes a fourth of the time, however large this process is. With [`warm`](Self::warm) copies
/// wait for something to do, and a start is a message to one of them. With [`preload`](Self::preload) they find in memory what a function has
/// made there before.
///
/// # What a copy has, and from whom
///
/// As with spawn, a child has the environment, the working directory and root, the standard streams, the user, groups, capabilities, process group and session that
/// *this* process has when it starts it; if one of these that a server cannot be told has changed (users, groups, capabilities, "no new privileges", the first filter of system calls,
/// the root, process group or session), the server is replaced. From the server, as it was when that was started, it has limits, priority, processors, umask, ignored signals,
/// namespaces and cgroup, what Landlock and security modules forbid it, further filters of system calls, and what preload functions have made or opened. A context with [`warm`](Self::warm) or
/// [`preload`](Self::preload) has a server of its own, so one that is made after a change sees it.
///
/// # The server
///
/// It is started by the first process that needs it, or by [`prepare`](Self::prepare), and costs a process and its memory; that of contexts
/// without `warm` and `preload` is one for the program. It ends with its context, and in any case with this process, however that ends. When it is
/// killed the next start has another one executed; a start that is on its way at that moment is begun anew if nothing of it exists, and never
/// runs its function twice. It is no child that [`active_children`](crate::active_children) shows. SIGINT does not end it.
///
/// It forks only while it has one thread. If a constructor or preload function leaves one behind, starts fail with an error that names the thread.
/// Handlers of `pthread_atfork(3)` are not called: there is no other thread whose locks they would put in order.
///
/// # Security
///
/// What is copied is the same in all copies of a server: where code and memory are (address space layout randomisation draws once for the server), the stack
/// protector's and the C library's secrets. Whoever can read them in one child knows them in its siblings. Random numbers, seeds of hash maps
/// and names of temporary files are drawn in each child, unless a constructor (code before `main`) has drawn some on the thread that is copied. Where children must not know this
/// much of each other, spawn them.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let context = mp::Context::forkserver().warm(2).env("WHO", "all of them");
/// assert_eq!(context.start(square, (3,))?.join()?, 9);
/// assert_eq!(context.process(square, (4,)).name("four").start()?.join()?, 16);
/// let pool = context.pool().workers(2).build()?;
/// assert_eq!(pool.map(square, 1..4)?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a context does nothing by itself"]
pub struct Context {
    launch: Launch,
    plan: Plan,
    daemon: Option<bool>,
    on_parent_death: OnParentDeath,
    kill_on_drop: bool,
    directory: Option<std::path::PathBuf>,
    environment: Environment,
}

impl Context {
    /// One whose processes are executed anew, each.
    pub fn spawn() -> Self {
        Self::new(StartMethod::Spawn)
    }

    /// One whose processes are copies of a server.
    pub fn forkserver() -> Self {
        Self::new(StartMethod::ForkServer)
    }

    /// One of that start method. Python's `get_context(method)`.
    pub fn new(method: StartMethod) -> Self {
        Self {
            launch: Launch { server: server(method), ..Launch::default() },
            plan: Plan::default(),
            daemon: None,
            on_parent_death: OnParentDeath::default(),
            kill_on_drop: false,
            directory: None,
            environment: Environment::default(),
        }
    }

    /// The one by which [`Process::new`], [`spawn`](crate::spawn) and pools are started that come from no other: what
    /// [`set_default`](Self::set_default) said; else, in a child, one of the parent's method; else [`Context::spawn`].
    pub fn of_program() -> Self {
        of_program(|context| context.clone())
    }

    /// Makes it the one of this program, for all that is started from now on. A child begins with its method, not
    /// with the rest of it. Python's `set_start_method`.
    ///
    /// # Errors
    ///
    /// [Invalid input](Error::is_invalid_input): it was set before.
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn nothing() {}
    ///
    /// # fn main() -> mp::Result<()> {
    /// mp::Context::forkserver().set_default()?;
    /// mp::spawn(nothing, ())?.join()?; // copied
    /// assert_eq!(mp::Context::of_program().start_method(), mp::StartMethod::ForkServer);
    /// assert!(mp::Context::spawn().set_default().unwrap_err().is_invalid_input());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_default(self) -> Result<()> {
        OF_PROGRAM.set(self).map_err(|context| {
            Error::invalid(format!(
                "the context of this program is set already, and processes may have been started by it; use {} by its own methods",
                context.start_method()
            ))
        })
    }

    /// Keeps so many copies waiting, that a start hands its function to. They are made in the background, when half of them
    /// have been used. While they wait they take no processor's time; each takes what a process takes in the kernel and the few pages
    /// that it has changed, some 300 KiB. Nothing changes for processes that are spawned.
    pub fn warm(self, count: usize) -> Self {
        self.planned(|plan| plan.warm = count)
    }

    /// Runs `target` with `args` once, in the server before it forks, and keeps what it makes: [`preloaded`](crate::preloaded) gives it to
    /// all children, which share its memory. Several are run in the order in which they were named.
    ///
    /// A child starts as fast with a gigabyte of it, if that is in large blocks of the C library's allocator (a `Vec`, the table of a map): they are put into memory of which a
    /// fork copies nothing. Of what is in small blocks, or in another allocator's, a fork copies the page tables, which takes some 6 µs for each MiB.
    ///
    /// The function runs in a thread of its own. It must leave no thread behind. A descriptor that it keeps open is open in all children. Connections, locks
    /// and queues are no good there: they would be one and the same in all children, and who has them is known by the server's name;
    /// hand them on as arguments. A process that is spawned runs it itself, before its target.
    ///
    /// # Errors
    ///
    /// From each start, and [`prepare`](Self::prepare): the function returned an error, panicked, ended the server, or has left a thread, which is named.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// struct Primes(Vec<u32>);
    ///
    /// #[mp::process_target(preload)]
    /// fn sieve(below: u32) -> Primes {
    ///     let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| n % d > 0);
    ///     Primes((2..below).filter(is_prime).collect())
    /// }
    ///
    /// #[mp::process_target]
    /// fn nth_prime(n: usize) -> Option<u32> {
    ///     mp::preloaded::<Primes>()?.0.get(n).copied()
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let context = mp::Context::forkserver().preload(sieve, (1_000,));
    /// assert_eq!(context.start(nth_prime, (99,))?.join()?, Some(541));
    /// assert_eq!(mp::spawn(nth_prime, (99,))?.join()?, None); // of another context
    /// # Ok(())
    /// # }
    /// ```
    pub fn preload<F: PreloadTarget>(self, _target: F, args: F::Args) -> Self {
        let preload = Preload::new(F::ID, &args);
        let mut context = self.planned(|plan| plan.preloads = plan.preloads.iter().cloned().chain([preload]).collect());
        context.launch.preloads = Arc::clone(&context.plan.preloads);
        context
    }

    /// Has processes spawned where this system cannot fork as a server does: the kernel lacks something, or a container forbids it. Otherwise that
    /// is an error that [says which](Error::is_unsupported).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn answer() -> u8 { 42 }
    /// # fn main() -> mp::Result<()> {
    /// let anywhere = mp::Context::forkserver().or_spawn();
    /// assert_eq!(anywhere.start(answer, ())?.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn or_spawn(mut self) -> Self {
        self.launch.or_spawn = true;
        self
    }

    /// As [`Builder::daemon`], for all of them.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = Some(daemon);
        self
    }

    /// As [`Builder::on_parent_death`], for all of them.
    pub fn on_parent_death(mut self, action: OnParentDeath) -> Self {
        self.on_parent_death = action;
        self
    }

    /// As [`Builder::kill_on_drop`], for all of them.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.kill_on_drop = kill;
        self
    }

    /// As [`Builder::current_dir`], for all of them.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// As [`Builder::env`], for all of them.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.set(key.as_ref(), Some(value.as_ref()));
        self
    }

    /// As [`Builder::env_remove`], for all of them.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.environment.set(key.as_ref(), None);
        self
    }

    /// As [`Builder::env_clear`], for all of them.
    pub fn env_clear(mut self) -> Self {
        self.environment.clear();
        self
    }

    /// Describes a process, as [`Process::new`] does.
    pub fn process<F: Target>(&self, target: F, args: F::Args) -> Builder<F> {
        Builder::by(self, target, args)
    }

    /// Describes a process that runs a job, as [`Process::job`] does.
    pub fn job<J: JobTarget>(&self, job: J) -> Builder<J::Target> {
        Builder::by(self, J::TARGET, (job,))
    }

    /// Starts a process, as [`spawn`](crate::spawn) does.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub fn start<F: Target>(&self, target: F, args: F::Args) -> Result<Process<F::Output>> {
        self.process(target, args).start()
    }

    /// How its processes are started. Python's `get_start_method`.
    #[must_use]
    pub fn start_method(&self) -> StartMethod {
        self.launch.method()
    }

    /// Starts the server now, and waits until preload functions have returned and the [`warm`](Self::warm) copies wait. Does nothing for processes
    /// that are spawned.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::start`] that are about the server: it cannot be executed or fork here ([`Error::is_unsupported`]), or a preload function failed.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn answer() -> u8 { 42 }
    /// # fn main() -> mp::Result<()> {
    /// let context = mp::Context::forkserver().warm(1);
    /// assert_eq!(context.server_pid(), None);
    /// context.prepare()?; // takes a millisecond or two
    /// assert!(context.server_pid().is_some());
    /// assert_eq!(context.start(answer, ())?.join()?, 42); // does not
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare(&self) -> Result<()> {
        super::launch::check()?;
        match self.launch.server.as_ref().map_or(Ok(()), |server| server.prepare()) {
            Err(error) if self.launch.or_spawn && error.is_unsupported() => Ok(()),
            prepared => prepared,
        }
    }

    /// The process id of its server; `None` if there is none now.
    #[must_use]
    pub fn server_pid(&self) -> Option<u32> {
        self.launch.server.as_ref()?.pid()
    }

    /// The same, by another start method. One that was not a server's has the common one then.
    pub(crate) fn by(mut self, method: StartMethod) -> Self {
        if self.start_method() != method {
            self.launch.server = server(method);
        }
        self
    }

    /// With a server of its own, which is to be what `change` makes of the plan.
    fn planned(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        if self.launch.server.is_some() {
            self.launch.server = Some(Arc::new(ForkServer::new(self.plan.clone())));
        }
        self
    }

    pub(super) fn options(&self) -> Options {
        Options {
            launch: self.launch.clone(),
            on_parent_death: self.on_parent_death,
            kill_on_drop: self.kill_on_drop,
            directory: self.directory.clone(),
            environment: self.environment.clone(),
            ..Options::new(self.daemon.unwrap_or_else(|| super::current_process().is_daemon()))
        }
    }
}

/// The server of a start method, for processes that want nothing special.
pub(super) fn server(method: StartMethod) -> Option<Arc<ForkServer>> {
    match method {
        StartMethod::Spawn => None,
        StartMethod::ForkServer => Some(ForkServer::common()),
    }
}

static OF_PROGRAM: OnceLock<Context> = OnceLock::new();

/// Calls `with` with the context of this program.
pub(super) fn of_program<R>(with: impl FnOnce(&Context) -> R) -> R {
    match (OF_PROGRAM.get(), current().inherited_default()) {
        (Some(context), _) => with(context),
        (None, Some(Inherited { method, or_spawn })) => {
            let mut context = Context::new(method);
            context.launch.or_spawn = or_spawn;
            with(&context)
        }
        (None, None) => with(&Context::new(crate::fault::start_method().unwrap_or_default())),
    }
}

/// What a child has of its parent's context.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Inherited {
    method: StartMethod,
    or_spawn: bool,
}

/// What children are to have.
pub(super) fn inherited() -> Inherited {
    of_program(|context| Inherited { method: context.start_method(), or_spawn: context.launch.or_spawn })
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("start_method", &self.start_method())
            .field("warm", &self.plan.warm)
            .field("preloads", &self.plan.preloads.len())
            .finish_non_exhaustive()
    }
}
