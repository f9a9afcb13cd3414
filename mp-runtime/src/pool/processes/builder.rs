//! The description of a pool that has not started.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    marker::PhantomData,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use super::{Pool, config::Config, setup::kind, trace::Trace};
use crate::{
    codec::Encoded,
    error::{Error, Result},
    pool::{
        TargetName,
        options::{Retry, TaskOptions},
        work::call_of,
    },
    process::{Arguments, Context, StartMethod, StateTarget, Target, TargetId, WorkerTarget, cpu_count},
};

/// How long a worker that is to end has after SIGTERM.
const GRACE: Duration = Duration::from_secs(1);

/// A pool that has not started: what [`Pool::builder`] returns.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder()
///     .workers(2)
///     .name("squarer")
///     .max_tasks_per_child(1000)
///     .max_rss(1 << 30)
///     .task_timeout(Duration::from_secs(10))
///     .retries(1)
///     .restart_limit(20, Duration::from_secs(1))
///     .max_pending(10_000, 1 << 30)
///     .build()?;
/// assert_eq!(pool.map(square, 1..4)?, [1, 4, 9]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs before `.build()`"]
pub struct PoolBuilder<S = ()> {
    settings: Settings,
    state_type: PhantomData<fn() -> S>,
}

/// What was said so far.
struct Settings {
    context: Context,
    name: String,
    workers: Option<usize>,
    initializer: Option<Result<(TargetName, Encoded)>>,
    state: Option<Result<(TargetName, Encoded)>>,
    exit: Option<TargetName>,
    max_tasks_per_child: Option<u64>,
    max_rss: Option<u64>,
    restart_limit: Option<(usize, Duration)>,
    max_pending: (usize, usize),
    grace: Duration,
    environment: Vec<(OsString, Option<OsString>)>,
    options: TaskOptions,
    tag_stderr: bool,
    trace: Option<PathBuf>,
}

impl Context {
    /// Describes a pool whose workers are started as this context says, as [`Pool::builder`] does.
    pub fn pool(&self) -> PoolBuilder {
        PoolBuilder::by(self.clone())
    }
}

impl PoolBuilder {
    pub(super) fn by(context: Context) -> Self {
        let settings = Settings {
            context,
            name: "PoolWorker".to_owned(),
            workers: None,
            initializer: None,
            state: None,
            exit: None,
            max_tasks_per_child: None,
            max_rss: None,
            restart_limit: None,
            max_pending: (usize::MAX, usize::MAX),
            grace: GRACE,
            environment: Vec::new(),
            options: TaskOptions::default(),
            tag_stderr: false,
            trace: None,
        };
        Self { settings, state_type: PhantomData }
    }

    /// Has each worker keep a state, which `target` makes of `args` before the worker's first task; a worker that takes the place of
    /// another one makes its own. Targets whose first argument is a `&mut` of it are given it, in this pool only. It is dropped when
    /// its worker ends normally.
    ///
    /// `args` are sent once to each worker, not with each task, and what is large in them lies in memory once for all that wait to read it.
    ///
    /// A task that panics leaves the state as it was then, as with a mutex that is not poisoned.
    pub fn worker_state<F: StateTarget>(self, _target: F, args: F::Args) -> PoolBuilder<F::State> {
        let settings = Settings { state: Some(message_of(F::ID, &args)), ..self.settings };
        PoolBuilder { settings, state_type: PhantomData }
    }
}

impl<S: 'static> PoolBuilder<S> {
    /// How many workers. By default as many as there are processors for this process, by its affinity and its cgroup's quota
    /// ([`cpu_count`]).
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = Some(workers);
        self
    }

    /// How the workers are started: each that takes the place of one that died, too. See [`Context::pool`] for more than that.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.settings.context = self.settings.context.by(method);
        self
    }

    /// What the workers' names begin with; a number follows. `PoolWorker` by default.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Has each worker call `target` with `args` before its first task. One that panics, exits, or returns an `ExitCode` other than
    /// success fails the pool; of a result of its own nothing is looked at.
    pub fn initializer<F: Target>(mut self, _target: F, args: F::Args) -> Self {
        self.settings.initializer = Some(message_of(F::ID, &args));
        self
    }

    /// Has each worker call `target` before it ends normally.
    pub fn worker_exit<F: WorkerTarget<S, Args = ()>>(mut self, _target: F) -> Self {
        self.settings.exit = Some(TargetName::known(F::ID));
        self
    }

    /// Has a worker replaced after so many tasks. Not zero. Python's `maxtasksperchild` counts chunks, this counts tasks.
    pub fn max_tasks_per_child(mut self, tasks: u64) -> Self {
        self.settings.max_tasks_per_child = Some(tasks);
        self
    }

    /// Has a worker replaced, between tasks, that has more than so many bytes of memory (its resident set). It is looked
    /// at now and then.
    pub fn max_rss(mut self, bytes: u64) -> Self {
        self.settings.max_rss = Some(bytes);
        self
    }

    /// How long a task may run; see [`TaskOptions::timeout`].
    pub fn task_timeout(mut self, most: Duration) -> Self {
        self.settings.options = self.settings.options.timeout(most);
        self
    }

    /// How often a task is tried again that ended its worker. `retry(Retry::times(times))`.
    pub fn retries(self, times: u32) -> Self {
        self.retry(Retry::times(times))
    }

    /// How often, and after what, a task is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.options = self.settings.options.retry(retry);
        self
    }

    /// All that can be said of tasks, instead of what was said so far.
    pub fn task_options(mut self, options: TaskOptions) -> Self {
        self.settings.options = options;
        self
    }

    /// Has the pool give up when more than `deaths` workers have died, without being asked to, within some time: all
    /// that is pending is [`TaskError::Broken`](crate::TaskError::Broken) then. By default it gives up only when eight in a row were not
    /// made ready; 64, if it is SIGKILL that ends them.
    pub fn restart_limit(mut self, deaths: usize, within: Duration) -> Self {
        self.settings.restart_limit = Some((deaths, within));
        self
    }

    /// How many tasks, and how many bytes of their arguments, may be pending; who submits more waits. By default as many as there is memory for.
    pub fn max_pending(mut self, tasks: usize, bytes: usize) -> Self {
        self.settings.max_pending = (tasks, bytes);
        self
    }

    /// How long a worker that is to end has between SIGTERM and SIGKILL; a second by default.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Sets an environment variable in the workers.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.settings.environment.push((key.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Leaves one out.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.settings.environment.push((key.as_ref().to_owned(), None));
        self
    }

    /// Whether lines that workers write to their standard error have the worker and its task before them: `[PoolWorker-1 square 17] …`, where
    /// 17 is the [index](crate::TaskFacts::index) of the item. It costs a microsecond or two for each task. Workers mark the
    /// tasks there by a byte that text does not have, 0x1e.
    pub fn tag_stderr(mut self, tag: bool) -> Self {
        self.settings.tag_stderr = tag;
        self
    }

    /// Writes a trace to a file: when each task ran, on which worker, and which workers died. Perfetto (ui.perfetto.dev) and Chrome's
    /// `about:tracing` show it. It is complete once the pool has ended; what cannot be written is left out. It
    /// costs some hundred nanoseconds for each task.
    pub fn trace_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.trace = Some(path.into());
        self
    }

    /// Starts the workers, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// Nothing is left of the pool then: a worker cannot be [started](crate::Builder::start), or not be made ready, as its initializer fails; an
    /// argument of that does not encode; or a number is zero that must not be.
    pub fn build(self) -> Result<Pool<S>> {
        let settings = self.settings;
        let workers = match settings.workers {
            Some(0) => return Err(Error::invalid("a pool has one worker at least")),
            Some(workers) => workers,
            None => cpu_count(),
        };
        if settings.max_tasks_per_child == Some(0) || settings.max_pending.0 == 0 || settings.max_pending.1 == 0 {
            return Err(Error::invalid("a pool whose workers have no tasks: a limit is zero"));
        }
        Pool::start(Config {
            context: settings.context,
            name: settings.name,
            workers,
            initializer: settings.initializer.transpose()?,
            state: settings.state.transpose()?,
            exit: settings.exit,
            max_tasks_per_child: settings.max_tasks_per_child,
            max_rss: settings.max_rss,
            restart_limit: settings.restart_limit,
            max_pending: settings.max_pending,
            grace: settings.grace,
            environment: settings.environment,
            options: Arc::new(settings.options),
            tag_stderr: settings.tag_stderr,
            trace: settings.trace.as_deref().map(Trace::create).transpose()?,
        })
    }
}

fn message_of(id: TargetId, args: &impl Arguments) -> Result<(TargetName, Encoded)> {
    let (target, parcel) = call_of(id, args)?;
    Ok((target, parcel.encoded(kind::ARGUMENTS)?))
}

impl<S> fmt::Debug for PoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("name", &self.settings.name)
            .field("workers", &self.settings.workers)
            .finish_non_exhaustive()
    }
}
