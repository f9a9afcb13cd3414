//! The description of a process that has not started.

use std::{ffi::OsStr, fmt, path::Path};

use super::{
    Context, OnParentDeath, Process, StartMethod, Stdio, Target, context,
    current::current,
    launch,
    options::Options,
    target::{Arguments as _, JobTarget},
};
use crate::{
    codec::Encoder,
    error::{Ended, ExitStatus, Facts, JoinError, Result},
    event,
};

/// Starts `target` with `args` in a child process, with nothing changed: `Process::new(target, args).start()`.
///
/// # Errors
///
/// As [`Builder::start`].
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn add(a: u32, b: u32) -> u32 {
///     a + b
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(mp::spawn(add, (1, 2))?.join()?, 3);
/// # Ok(())
/// # }
/// ```
pub fn spawn<F: Target>(target: F, args: F::Args) -> Result<Process<F::Output>> {
    Process::new(target, args).start()
}

impl Process<()> {
    /// Describes a process that will run `target` with `args`. Nothing starts before [`Builder::start`].
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn repeat(word: String, times: usize) -> String {
    ///     word.repeat(times)
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let child = mp::Process::new(repeat, ("ab".to_owned(), 2)).name("repeater").start()?;
    /// assert_eq!(child.join()?, "abab");
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "Python's name for it; a process that has not started is a `Builder`")]
    pub fn new<F: Target>(target: F, args: F::Args) -> Builder<F> {
        context::of_program(|context| context.process(target, args))
    }

    /// Describes a process that will run a [`Job`](crate::Job): a struct whose fields are the arguments.
    pub fn job<J: JobTarget>(job: J) -> Builder<J::Target> {
        context::of_program(|context| context.job(job))
    }
}

/// A process that has not started: what [`Process::new`] returns.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn greeting() -> String {
///     std::env::var("GREETING").unwrap_or_default()
/// }
///
/// # fn main() -> mp::Result<()> {
/// let child = mp::Process::new(greeting, ())
///     .name("greeter")
///     .daemon(true)
///     .env("GREETING", "hello")
///     .current_dir("/")
///     .on_parent_death(mp::OnParentDeath::Kill)
///     .kill_on_drop(true)
///     .start()?;
/// assert_eq!(child.join()?, "hello");
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs before `.start()`"]
pub struct Builder<F: Target> {
    name: Option<String>,
    /// The numbers of its default name.
    identity: Vec<u32>,
    args: F::Args,
    options: Options,
}

impl<F: Target> Builder<F> {
    pub(super) fn by(context: &Context, _target: F, args: F::Args) -> Self {
        Self { name: None, identity: current().number_child(), args, options: context.options() }
    }

    /// How it is started, instead of what the [context](crate::Context) says; what that says besides holds. By
    /// [`ForkServer`](StartMethod::ForkServer) it is one without [`warm`](crate::Context::warm) and [`preload`](crate::Context::preload).
    ///
    /// Python has this for contexts only.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        if self.options.launch.method() != method {
            self.options.launch.server = context::server(method);
        }
        self
    }

    /// Its name, for messages and [`current_process`](crate::current_process). The default is `Process-1`,
    /// `Process-2`, …, and `Process-1:1` for the first one that `Process-1` describes. Names need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether it is terminated, instead of waited for, at the normal end of this process. The default is
    /// what this process is itself. A daemon may start children too.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.options.daemon = daemon;
        self
    }

    /// Sets an environment variable in the child. The others are inherited.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.options.environment.set(key.as_ref(), Some(value.as_ref()));
        self
    }

    /// Sets several.
    pub fn envs(self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Self {
        variables.into_iter().fold(self, |builder, (key, value)| builder.env(key, value))
    }

    /// Leaves a variable out.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.options.environment.set(key.as_ref(), None);
        self
    }

    /// Leaves all variables out, and forgets those set so far.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// #[mp::process_target]
    /// fn variables() -> Vec<(String, String)> {
    ///     std::env::vars().collect()
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let child = mp::Process::new(variables, ()).env_clear().envs([("A", "1"), ("B", "2")]).env_remove("B").start()?;
    /// assert_eq!(child.join()?, [("A".to_owned(), "1".to_owned())]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn env_clear(mut self) -> Self {
        self.options.environment.clear();
        self
    }

    /// The child's working directory. The default is this process's.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.options.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// The child's standard input; `/dev/null` by default.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.options.streams[0] = stdin.into();
        self
    }

    /// The child's standard output; this process's by default.
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.options.streams[1] = stdout.into();
        self
    }

    /// The child's standard error; this process's by default.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.options.streams[2] = stderr.into();
        self
    }

    /// What happens to the child when this process ends without having waited for it, for instance by
    /// SIGKILL. The default is [`OnParentDeath::Kill`].
    pub fn on_parent_death(mut self, action: OnParentDeath) -> Self {
        self.options.on_parent_death = action;
        self
    }

    /// Whether dropping the handle kills the child. By default it goes on.
    pub fn kill_on_drop(mut self, kill: bool) -> Self {
        self.options.kill_on_drop = kill;
        self
    }

    /// The program that the child runs, instead of this one; see [`set_executable`](crate::set_executable). Such a child is
    /// executed, whatever the start method is.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn answer() -> u8 { 42 }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let another_copy = std::env::current_exe()?;
    /// assert_eq!(mp::Process::new(answer, ()).executable(another_copy).start()?.join()?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn executable(mut self, path: impl AsRef<Path>) -> Self {
        self.options.executable = Some(path.as_ref().to_owned());
        self
    }

    /// Calls the target here, in this process and thread, and returns its result. Panics go through.
    ///
    /// # Errors
    ///
    /// [`JoinError::Exited`] where the function returns an `ExitCode` other than success.
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn pid() -> u32 {
    ///     std::process::id()
    /// }
    ///
    /// assert_eq!(mp::Process::new(pid, ()).run().unwrap(), std::process::id());
    /// ```
    pub fn run(self) -> Result<F::Output, JoinError> {
        F::call(self.args).map_err(|code| {
            JoinError::Exited(Ended::new(Facts {
                name: super::current_process().name(),
                pid: std::process::id(),
                target: F::ID.name(),
                status: Some(ExitStatus::exited(super::exit_code::number(code))),
            }))
        })
    }

    /// Starts the child. It is running when this returns; what it has come to, its handle will tell.
    ///
    /// # Errors
    ///
    /// Nothing has been started then, or nothing is left of it:
    /// - an argument does not encode ([`Error::is_encode`](crate::Error::is_encode)), or the values hold more
    ///   descriptors than one message carries (253);
    /// - the system refuses: the executable or the directory does not exist, no more processes, descriptors or
    ///   memory are to be had ([`Error::raw_os_error`](crate::Error::raw_os_error));
    /// - this program cannot start itself ([`Error::is_unsupported`](crate::Error::is_unsupported)): the hook that
    ///   takes a child before `main` is not linked into the main program;
    /// - it is to be copied from a server, and that cannot be started, or not be copied; see [`Context`];
    /// - the tree of processes is more than 64 deep, or two targets have the same explicit name
    ///   ([`Error::is_invalid_input`](crate::Error::is_invalid_input)).
    pub fn start(self) -> Result<Process<F::Output>> {
        let name = self.name.unwrap_or_else(|| default_name(&self.identity));
        let kill_on_drop = self.options.kill_on_drop;
        let args = self.args;
        let put_args = |encoder: &mut Encoder| encoder.put(args.value());
        launch::start(&name, self.identity, F::ID, self.options, put_args)
            .map(|child| Process::from_child(child, kill_on_drop))
            .map_err(|error| error.context(format!("cannot start process '{name}' (target {})", F::ID.name())))
            .inspect_err(|error| event::refused(&name, error))
    }
}

fn default_name(identity: &[u32]) -> String {
    let numbers: Vec<_> = identity.iter().map(u32::to_string).collect();
    format!("Process-{}", numbers.join(":"))
}

impl<F: Target> fmt::Debug for Builder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name.clone().unwrap_or_else(|| default_name(&self.identity)))
            .field("target", &F::ID.name())
            .field("state", &format_args!("initial"))
            .field("daemon", &self.options.daemon)
            .finish_non_exhaustive()
    }
}
