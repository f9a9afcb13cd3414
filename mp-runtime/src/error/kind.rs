//! The opaque error.

use std::{borrow::Cow, fmt, io, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BrokenBarrier, JoinError, LockError, RecvError, SendError, TaskError};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a chain from the outermost action to the cause.
///
/// The text names the process, the target and, where there is one, the remedy; [`Display`](fmt::Display)
/// prints the whole chain in one line. An error is cheap to clone.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn nothing() {}
///
/// let error = mp::Process::new(nothing, ()).executable("/no/such/program").start().unwrap_err();
/// assert_eq!(error.raw_os_error(), Some(2)); // ENOENT
/// assert!(error.to_string().starts_with("cannot start process 'Process-1'"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: Kind,
    /// Outermost last.
    context: Vec<String>,
}

#[derive(Clone)]
enum Kind {
    Os {
        action: Cow<'static, str>,
        cause: Arc<io::Error>,
    },
    /// Of another process.
    Told(Told),
    Encode(String),
    Decode(String),
    Invalid(Cow<'static, str>),
    Unsupported(Cow<'static, str>),
    Protocol(Cow<'static, str>),
    Refused(String),
    Join(Box<JoinError>),
    Task(Box<TaskError>),
    /// A message that did not go or come, a lock that was not taken: for a reason that has a predicate.
    Said(Category, String),
}

/// An error as it travels: text, and what the predicates answer.
#[derive(Clone, Serialize, Deserialize)]
struct Told {
    category: Category,
    errno: Option<i32>,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Category {
    Os,
    Encode,
    Decode,
    Invalid,
    Unsupported,
    Protocol,
    Refused,
    Join,
    Task,
    Disconnected,
    TimedOut,
    TooLong,
    OwnerDied,
    WouldDeadlock,
    BrokenBarrier,
}

impl Error {
    /// Whether a value could not be turned into bytes. The value's own message is part of the text.
    ///
    /// ```
    /// use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};
    ///
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn read(_path: PathBuf) {}
    ///
    /// // serde writes a path as text.
    /// let not_text = PathBuf::from(OsString::from_vec(vec![0xff]));
    /// assert!(mp::spawn(read, (not_text,)).unwrap_err().is_encode());
    /// ```
    #[must_use]
    pub fn is_encode(&self) -> bool {
        self.category() == Category::Encode
    }

    /// Whether bytes could not be turned into the value that was asked for.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        self.category() == Category::Decode
    }

    /// Whether the caller gave something that cannot work, such as an environment variable with a NUL byte.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn nothing() {}
    /// assert!(mp::Process::new(nothing, ()).env("KEY", "a\0b").start().unwrap_err().is_invalid_input());
    /// ```
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        self.category() == Category::Invalid
    }

    /// Whether this program or system cannot do what was asked for, however often it is asked.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn nothing() {}
    /// // A program that is none of ours.
    /// assert!(mp::Process::new(nothing, ()).executable("/bin/true").start().unwrap_err().is_unsupported());
    /// ```
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.category() == Category::Unsupported
    }

    /// Whether the peer sent something that is not a message of ours.
    #[must_use]
    pub fn is_protocol(&self) -> bool {
        self.category() == Category::Protocol
    }

    /// Whether a child answered that it cannot run the target: it does not know it, or cannot decode its arguments.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.category() == Category::Refused
    }

    /// Whether the other end of a connection is closed everywhere. Python's `EOFError` and `BrokenPipeError`.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let next = |receiver: &mp::Receiver<u8>| -> mp::Result<u8> { Ok(receiver.recv()?) };
    /// let (sender, receiver) = mp::channel()?;
    /// drop(sender);
    /// assert!(next(&receiver).unwrap_err().is_disconnected());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.category() == Category::Disconnected
    }

    /// Whether something did not happen in the time that it was given. Python's `TimeoutError`.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.category() == Category::TimedOut
    }

    /// Whether a message was longer than allowed. Python's `BufferTooShort`.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.category() == Category::TooLong
    }

    /// Whether a process died while it held a lock. The lock is free again, and what it protects may be half changed.
    #[must_use]
    pub fn is_owner_died(&self) -> bool {
        self.category() == Category::OwnerDied
    }

    /// Whether the calling thread would have waited for itself.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let lock = mp::Lock::new()?;
    /// let _guard = lock.lock()?;
    /// let again = || -> mp::Result<()> { lock.lock()?; Ok(()) };
    /// assert!(again().unwrap_err().is_deadlock());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        self.category() == Category::WouldDeadlock
    }

    /// Whether a barrier was broken by another party. Python's `BrokenBarrierError`.
    #[must_use]
    pub fn is_broken_barrier(&self) -> bool {
        self.category() == Category::BrokenBarrier
    }

    /// The number of the system's error (`errno`), where the cause is one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.0.kind {
            Kind::Os { cause, .. } => cause.raw_os_error(),
            Kind::Told(told) => told.errno,
            _ => None,
        }
    }

    /// How a child ended, where this error came from joining one.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn leave() { std::process::exit(3) }
    /// let work = || -> mp::Result<()> { Ok(mp::spawn(leave, ())?.join()?) };
    /// let error = work().unwrap_err();
    /// assert!(matches!(error.as_join_error(), Some(mp::JoinError::Exited(_))));
    /// ```
    #[must_use]
    pub fn as_join_error(&self) -> Option<&JoinError> {
        match &self.0.kind {
            Kind::Join(error) => Some(error),
            _ => None,
        }
    }

    /// Why a pool's task has no result, where this error came from one.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn leave() { std::process::exit(3) }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(1).build()?;
    /// let work = || -> mp::Result<()> { Ok(pool.call(leave, ())?) };
    /// let error = work().unwrap_err();
    /// assert!(matches!(error.as_task_error(), Some(mp::TaskError::Exited(_))));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_task_error(&self) -> Option<&TaskError> {
        match &self.0.kind {
            Kind::Task(error) => Some(error),
            _ => None,
        }
    }

    #[cold]
    pub(crate) fn os(action: impl Into<Cow<'static, str>>, cause: impl Into<io::Error>) -> Self {
        Self::new(Kind::Os { action: action.into(), cause: Arc::new(cause.into()) })
    }

    #[cold]
    pub(crate) fn encode(message: impl Into<String>) -> Self {
        Self::new(Kind::Encode(message.into()))
    }

    #[cold]
    pub(crate) fn decode(message: impl Into<String>) -> Self {
        Self::new(Kind::Decode(message.into()))
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid(message.into()))
    }

    #[cold]
    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Unsupported(message.into()))
    }

    #[cold]
    pub(crate) fn protocol(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Protocol(message.into()))
    }

    #[cold]
    pub(crate) fn full() -> Self {
        Self::invalid("as many tasks are pending as may be (`max_pending`); wait for some")
    }

    #[cold]
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::new(Kind::Said(Category::TimedOut, message.into()))
    }

    #[cold]
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused(message.into()))
    }

    /// The same error, with what was being done when it happened.
    #[cold]
    pub(crate) fn context(mut self, doing: impl Into<String>) -> Self {
        match Arc::get_mut(&mut self.0) {
            Some(inner) => inner.context.push(doing.into()),
            None => {
                let mut context = self.0.context.clone();
                context.push(doing.into());
                self = Self(Arc::new(Inner { kind: self.0.kind.clone(), context }));
            }
        }
        self
    }

    fn category(&self) -> Category {
        match &self.0.kind {
            Kind::Os { .. } => Category::Os,
            Kind::Told(told) => told.category,
            Kind::Encode(_) => Category::Encode,
            Kind::Decode(_) => Category::Decode,
            Kind::Invalid(_) => Category::Invalid,
            Kind::Unsupported(_) => Category::Unsupported,
            Kind::Protocol(_) => Category::Protocol,
            Kind::Refused(_) => Category::Refused,
            Kind::Join(_) => Category::Join,
            Kind::Task(error) if matches!(**error, TaskError::TimedOut(..)) => Category::TimedOut,
            Kind::Task(_) => Category::Task,
            Kind::Said(category, _) => *category,
        }
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, context: Vec::new() }))
    }
}

/// So that `?` works on I/O in a target that returns [`Result`]: text and number of the system's error arrive.
///
/// ```
/// use std::fs;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn lines(path: String) -> mp::Result<usize> {
///     Ok(fs::read_to_string(path)?.lines().count())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let error = mp::spawn(lines, ("/no/such/file".to_owned(),))?.join()?.unwrap_err();
/// assert_eq!(error.raw_os_error(), Some(2)); // ENOENT
/// # Ok(())
/// # }
/// ```
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::os("", error)
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        Self::new(Kind::Join(Box::new(error)))
    }
}

impl From<TaskError> for Error {
    fn from(error: TaskError) -> Self {
        Self::new(Kind::Task(Box::new(error)))
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        let text = error.to_string();
        match error {
            SendError::Disconnected => Self::new(Kind::Said(Category::Disconnected, text)),
            SendError::TimedOut => Self::new(Kind::Said(Category::TimedOut, text)),
            SendError::Unencodable(error) | SendError::Os(error) | SendError::Damaged(error) => {
                error.context("cannot send")
            }
        }
    }
}

impl From<RecvError> for Error {
    fn from(error: RecvError) -> Self {
        let text = error.to_string();
        match error {
            RecvError::Disconnected => Self::new(Kind::Said(Category::Disconnected, text)),
            RecvError::TimedOut => Self::new(Kind::Said(Category::TimedOut, text)),
            RecvError::BufferTooShort(_) | RecvError::TooLong(_) => Self::new(Kind::Said(Category::TooLong, text)),
            RecvError::Undecodable(error) => error.context("a message was received and lost"),
            RecvError::Os(error) | RecvError::Damaged(error) => error.context("cannot receive"),
        }
    }
}

/// The guard of [`LockError::OwnerDied`] is dropped: the lock is free, and still says what happened.
impl<G> From<LockError<G>> for Error {
    fn from(error: LockError<G>) -> Self {
        let text = error.to_string();
        match error {
            LockError::OwnerDied(_) => Self::new(Kind::Said(Category::OwnerDied, text)),
            LockError::TimedOut => Self::new(Kind::Said(Category::TimedOut, text)),
            LockError::WouldDeadlock => Self::new(Kind::Said(Category::WouldDeadlock, text)),
            LockError::TooMany => Self::invalid(text),
            LockError::Os(error) => error,
        }
    }
}

impl From<BrokenBarrier> for Error {
    fn from(broken: BrokenBarrier) -> Self {
        match broken {
            BrokenBarrier::TimedOut => Self::timed_out(broken.to_string()),
            _ => Self::new(Kind::Said(Category::BrokenBarrier, broken.to_string())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for doing in self.0.context.iter().rev() {
            write!(f, "{doing}: ")?;
        }
        match &self.0.kind {
            Kind::Os { action, cause } if action.is_empty() => cause.fmt(f),
            Kind::Os { action, cause } => write!(f, "{action}: {cause}"),
            Kind::Encode(text) => write!(f, "cannot encode: {text}"),
            Kind::Decode(text) => write!(f, "cannot decode: {text}"),
            Kind::Refused(text) | Kind::Said(_, text) => f.write_str(text),
            Kind::Told(told) => f.write_str(&told.text),
            Kind::Invalid(text) | Kind::Unsupported(text) | Kind::Protocol(text) => f.write_str(text),
            Kind::Join(error) => error.fmt(f),
            Kind::Task(error) => error.fmt(f),
        }
    }
}

/// The same as [`Display`](fmt::Display): it is what `fn main() -> mp::Result<()>` prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of the cause is part of this one's. [`Error::raw_os_error`] and
/// [`Error::as_join_error`] have the causes as values.
impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::encode(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::decode(message.to_string())
    }
}

/// So that a target may return [`Result`]: the text, the number of the system's error and what the predicates
/// answer arrive; a [`JoinError`] arrives as its text.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let told = Told { category: self.category(), errno: self.raw_os_error(), text: self.to_string() };
        told.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Told::deserialize(deserializer).map(|told| Self::new(Kind::Told(told)))
    }
}
