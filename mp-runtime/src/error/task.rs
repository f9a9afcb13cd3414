//! Why a task has no result.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Error, ExitStatus, Panic};

/// Why a task has no result. One task's error is that task's alone: the others go on.
///
/// Every variant carries [`TaskFacts`]: which item it was, which attempt, which worker had it, and what that one last said.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn reciprocal(x: u32) -> u32 {
///     100 / x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(2).build()?;
/// let results: Vec<_> = pool.imap(reciprocal, [5, 0, 4]).collect();
/// assert_eq!(results[2].as_ref().unwrap(), &25);
/// match &results[1] {
///     Err(mp::TaskError::Panicked(facts, panic)) => {
///         assert_eq!(facts.index(), 1);
///         assert_eq!(panic.message(), "attempt to divide by zero");
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskError {
    /// The function panicked. The worker goes on.
    Panicked(TaskFacts, Box<Panic>),
    /// The worker exited while it ran the task, or the function returned an `ExitCode` other than success.
    Exited(TaskFacts),
    /// The worker aborted (SIGABRT) while it ran the task.
    Aborted(TaskFacts),
    /// The task used up the worker's stack.
    StackOverflow(TaskFacts),
    /// The kernel killed the worker for want of memory while it ran the task.
    OutOfMemory(TaskFacts),
    /// Any other signal ended the worker while it ran the task.
    Killed(TaskFacts),
    /// The worker ended while it ran the task, and someone else has collected its exit status.
    Lost(TaskFacts),
    /// The task ran longer than it was allowed to, and was stopped.
    TimedOut(TaskFacts, Duration),
    /// It was cancelled, or the pool was terminated or dropped, before it had a result.
    Cancelled(TaskFacts),
    /// An argument could not be encoded; nothing ran.
    Unencodable(TaskFacts, Error),
    /// The worker could not run it: it does not know the target, could not decode the arguments, or has another state.
    Refused(TaskFacts, Error),
    /// The function returned, but its result could not be encoded by the worker, or decoded here.
    Undecodable(TaskFacts, Error),
    /// Each of its attempts ended a worker. What the last one ended by is inside.
    Poisoned(TaskFacts, Box<TaskError>),
    /// The pool has given up: its workers ended faster than its restart limit allows, or their initializer failed.
    Broken(TaskFacts, Error),
}

impl TaskError {
    /// Which task, which worker.
    #[must_use]
    pub fn facts(&self) -> &TaskFacts {
        match self {
            Self::Panicked(facts, _)
            | Self::Exited(facts)
            | Self::Aborted(facts)
            | Self::StackOverflow(facts)
            | Self::OutOfMemory(facts)
            | Self::Killed(facts)
            | Self::Lost(facts)
            | Self::TimedOut(facts, _)
            | Self::Cancelled(facts)
            | Self::Unencodable(facts, _)
            | Self::Refused(facts, _)
            | Self::Undecodable(facts, _)
            | Self::Poisoned(facts, _)
            | Self::Broken(facts, _) => facts,
        }
    }

    /// The same of that item: whoever ran it elsewhere did not know which one it was.
    pub(crate) fn of_item(mut self, index: u64) -> Self {
        self.facts_mut().0.index = index;
        match self {
            Self::Poisoned(facts, last) => Self::Poisoned(facts, Box::new(last.of_item(index))),
            other => other,
        }
    }

    fn facts_mut(&mut self) -> &mut TaskFacts {
        match self {
            Self::Panicked(facts, _)
            | Self::Exited(facts)
            | Self::Aborted(facts)
            | Self::StackOverflow(facts)
            | Self::OutOfMemory(facts)
            | Self::Killed(facts)
            | Self::Lost(facts)
            | Self::TimedOut(facts, _)
            | Self::Cancelled(facts)
            | Self::Unencodable(facts, _)
            | Self::Refused(facts, _)
            | Self::Undecodable(facts, _)
            | Self::Poisoned(facts, _)
            | Self::Broken(facts, _) => facts,
        }
    }

    /// The panic, if it was one.
    #[must_use]
    pub fn panic(&self) -> Option<&Panic> {
        match self {
            Self::Panicked(_, panic) => Some(panic),
            Self::Poisoned(_, last) => last.panic(),
            _ => None,
        }
    }

    /// Whether the task's worker did not survive it.
    #[must_use]
    pub fn is_worker_death(&self) -> bool {
        match self {
            Self::Aborted(_) | Self::StackOverflow(_) | Self::OutOfMemory(_) | Self::Killed(_) | Self::Lost(_) => true,
            Self::Poisoned(..) => true,
            Self::Exited(facts) | Self::Panicked(facts, _) => facts.exit_status().is_some(),
            _ => false,
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.facts();
        match self {
            Self::Panicked(_, panic) => write!(f, "{facts} panicked at {panic}")?,
            Self::Exited(_) => match facts.exit_code() {
                Some(code) => write!(f, "{facts} exited with code {code}")?,
                None => write!(f, "{facts} exited")?,
            },
            Self::Aborted(_) => write!(f, "{facts} aborted (SIGABRT)")?,
            Self::StackOverflow(_) => write!(f, "{facts} overflowed its stack; `ulimit -s` sets its size")?,
            Self::OutOfMemory(_) => write!(f, "{facts} was killed by the kernel for want of memory")?,
            Self::Killed(_) => match facts.exit_status() {
                Some(status) => write!(f, "{facts} was killed by {status}")?,
                None => write!(f, "{facts} was killed")?,
            },
            Self::Lost(_) => write!(f, "{facts} was lost: its worker ended, and another wait took the exit status")?,
            Self::TimedOut(_, most) => write!(f, "{facts} was stopped after more than {most:?}")?,
            Self::Cancelled(_) => write!(f, "{facts} was cancelled")?,
            Self::Unencodable(_, error) => write!(f, "{facts} was not sent: {error}")?,
            Self::Refused(_, error) => write!(f, "{facts} did not run: {error}")?,
            Self::Undecodable(_, error) => write!(f, "the result of {facts} was lost: {error}")?,
            Self::Poisoned(_, last) => {
                return write!(f, "{facts} has ended a worker in each of its attempts, the last time: {last}");
            }
            Self::Broken(_, error) => write!(f, "{facts} did not run: {error}")?,
        }
        match facts.stderr().trim_end() {
            "" => Ok(()),
            said => write!(f, "; the worker's last words: {said}"),
        }
    }
}

/// The same as [`Display`](fmt::Display): it is what `main` prints of an error that it returns.
impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of an inner error is part of this one's.
impl std::error::Error for TaskError {}

/// Which task it was, and who had it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskFacts(Box<Facts>);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) target: Cow<'static, str>,
    pub(crate) index: u64,
    pub(crate) attempt: u32,
    pub(crate) worker: Option<(String, u32)>,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl TaskFacts {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Box::new(facts))
    }

    /// The name of the target.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.0.target
    }

    /// Which item of the input it was, from 0; 0 for a task of its own.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.0.index
    }

    /// Which attempt it was, from 1; 0 if none was made.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// The name of the worker that ran it.
    #[must_use]
    pub fn worker(&self) -> Option<&str> {
        self.0.worker.as_ref().map(|(name, _)| name.as_str())
    }

    /// The process id of that worker; by now it may belong to another process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.worker.as_ref().map(|(_, pid)| *pid)
    }

    /// How that worker ended, if it did.
    #[must_use]
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.0.status
    }

    /// The code that the worker exited with, or the function returned.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.0.code.or_else(|| self.0.status?.code())
    }

    /// The last lines that the worker wrote to its standard error before it ended; empty for one that did not.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.0.stderr
    }
}

impl fmt::Display for TaskFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { target, index, attempt, worker, .. } = &*self.0;
        write!(f, "task {index} (target {target}")?;
        if *attempt > 1 {
            write!(f, ", attempt {attempt}")?;
        }
        if let Some((name, pid)) = worker {
            write!(f, ", worker '{name}', pid {pid}")?;
        }
        f.write_str(")")
    }
}
