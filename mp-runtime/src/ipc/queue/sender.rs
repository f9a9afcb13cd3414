//! The side of a queue on which items are put.

use std::{
    borrow::Borrow,
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    end::{End, Waited},
    put::{Batch, Outgoing},
    record::MAX_NEAR,
    wire,
};
use crate::{
    codec::{Encoded, Encoder},
    error::{Error, Result, SendError},
    ipc::{end::unencodable, message::kind},
    sys::poll::Deadline,
};

/// No more items are put together than this, however small they are.
const MANY: usize = 4096;
/// Blocks from so many bytes on go into memory of their own, as on connections: measured to be faster from there on.
const SPILLED_FROM: usize = 16 << 20;

/// The putting side of a [`Queue`](crate::Queue), by [`split`](crate::Queue::split).
///
/// Clones are the same side. It is closed when the last of them, in all processes, is dropped or its process has ended, and no whole
/// [`Queue`](crate::Queue) is left; whoever gets then learns that there is nothing more. As a descriptor ([`AsFd`]) it is ready when there is room, or nobody to
/// get.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn report(number: u32, to: mp::QueueSender<String>) -> mp::Result<()> {
///     Ok(to.put(&format!("{number} is done"))?)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (to, reports) = mp::Queue::unbounded()?.split();
/// for number in 1..=3 {
///     mp::spawn(report, (number, to.clone()))?.detach();
/// }
/// drop(to); // this process could put something, too
/// assert_eq!(reports.iter().count(), 3); // until the last of them has ended
/// # Ok(())
/// # }
/// ```
pub struct QueueSender<T> {
    pub(in crate::ipc) end: Arc<End>,
    item: PhantomData<fn(&T)>,
}

impl<T: Serialize> QueueSender<T> {
    /// Puts a copy of `value`; waits while the queue is full.
    ///
    /// When it returns the item is there for everybody to get, even if this process is killed at once. A process that is killed
    /// before has put nothing.
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] when nobody can get any more, also while it waits. That the last one was *killed* may be noticed
    /// some milliseconds later only: nobody gets what is put until then. [`SendError::Unencodable`]; [`SendError::Os`] with EMFILE,
    /// where this process may not have a copy of a handle in the value; [`SendError::Damaged`].
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (to, from) = mp::Queue::bounded(10)?.split();
    /// to.put(&"there".to_owned())?;
    /// assert_eq!(from.len(), 1); // for everybody, as soon as `put` returns
    /// assert_eq!(from.try_get()?, "there");
    /// # Ok(())
    /// # }
    /// ```
    pub fn put(&self, value: &T) -> Result<(), SendError> {
        self.put_by(value, Deadline::NEVER)
    }

    /// [`put`](Self::put), but it does not wait. Python's `put_nowait`.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`] if the queue is full (Python's `Full`), and those of [`put`](Self::put).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (to, from) = mp::Queue::bounded(1)?.split();
    /// to.try_put(&1)?;
    /// assert!(to.is_full() && matches!(to.try_put(&2), Err(mp::SendError::TimedOut)));
    /// assert_eq!(from.get()?, 1);
    /// to.try_put(&2)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_put(&self, value: &T) -> Result<(), SendError> {
        self.put_by(value, Deadline::NOW)
    }

    /// [`put`](Self::put), but it waits for room no longer than `timeout`. To encode the value takes its time all the same.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`] if there was no room in time (Python's `Full`), and those of [`put`](Self::put).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// use std::time::Duration;
    ///
    /// let (to, _from) = mp::Queue::bounded(1)?.split();
    /// to.put(&1)?;
    /// let in_time = to.put_timeout(&2, Duration::from_millis(10));
    /// assert!(matches!(in_time, Err(mp::SendError::TimedOut)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.put_by(value, Deadline::after(timeout))
    }

    /// Puts copies of many values, in their order, many at a time: several times as fast as one by one. Waits while the queue is
    /// full. Items of others may come in between.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), with the number of those that had been put before.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (to, from) = mp::Queue::<String>::unbounded()?.split();
    /// to.put_many(["a".to_owned(), "b".to_owned()])?; // values,
    /// let words = vec!["c".to_owned(), "d".to_owned()];
    /// to.put_many(&words)?; // or references to them
    /// assert_eq!(from.drain().collect::<Result<Vec<_>, _>>()?, ["a", "b", "c", "d"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn put_many<V: Borrow<T>>(&self, values: impl IntoIterator<Item = V>) -> Result<(), PutManyError> {
        let (mut encoder, mut ends, mut before) = (Encoder::spilling_from(SPILLED_FROM), Vec::new(), 0);
        for value in values {
            let (value, start) = (value.borrow(), encoder.length());
            encoder.begin_anew(start);
            let written = encoder.put(value);
            if written.is_err() || !encoder.is_plain() || encoder.length() - start > MAX_NEAR {
                // What came before it goes before it.
                encoder.begin_anew(start);
                self.put_batch(&mut encoder, &mut ends, &mut before)?;
                self.put(value).map_err(|cause| PutManyError { put: before, cause })?;
                before += 1;
                continue;
            }
            ends.push(encoder.length());
            if encoder.length() >= MAX_NEAR || ends.len() >= MANY {
                self.put_batch(&mut encoder, &mut ends, &mut before)?;
            }
        }
        self.put_batch(&mut encoder, &mut ends, &mut before)?;
        encoder.recycle();
        Ok(())
    }

    fn put_batch(&self, encoder: &mut Encoder, ends: &mut Vec<usize>, before: &mut usize) -> Result<(), PutManyError> {
        if ends.is_empty() {
            return Ok(());
        }
        let mut put = 0;
        let batch = Batch { bytes: encoder.plain_body().unwrap_or_default(), ends };
        let waited = match self.end.is_found_over() {
            Ok(true) => Ok(Waited::Over),
            Ok(false) => self.end.wait(Deadline::NEVER, || self.end.try_put_many(&batch, &mut put)),
            Err(error) => Err(error.into()),
        };
        *before += put;
        ends.clear();
        encoder.begin_anew(0);
        done(waited.map_err(SendError::from)).map_err(|cause| PutManyError { put: *before, cause })
    }

    fn put_by(&self, value: &T, deadline: Deadline) -> Result<(), SendError> {
        let item = Written::new(value)?;
        if self.end.is_found_over().map_err(SendError::Os)? {
            return Err(SendError::Disconnected);
        }
        let put = {
            let fds = item.descriptors();
            let mut outgoing = item.outgoing(&fds);
            self.end.wait(deadline, || self.end.try_put(&mut outgoing))
        };
        item.recycle();
        done(put.map_err(SendError::from))
    }
}

/// A value, as it goes into the queue.
pub(in crate::ipc) enum Written {
    Plain(Encoder),
    WithMore(Encoded),
}

impl Written {
    #[inline]
    pub(in crate::ipc) fn new<T: Serialize>(value: &T) -> Result<Self, SendError> {
        let mut encoder = Encoder::spilling_from(SPILLED_FROM);
        encoder.put(value).map_err(unencodable)?;
        if encoder.plain_body().is_some() {
            return Ok(Self::Plain(encoder));
        }
        encoder.finish(kind::VALUE).map(Self::WithMore).map_err(unencodable)
    }

    #[inline]
    pub(in crate::ipc) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::WithMore(message) => message.descriptors(),
        }
    }

    #[inline]
    pub(in crate::ipc) fn outgoing<'a>(&'a self, fds: &'a [BorrowedFd<'a>]) -> Outgoing<'a> {
        let bytes = match self {
            Self::Plain(encoder) => encoder.plain_body().unwrap_or_default(),
            Self::WithMore(message) => message.packet(),
        };
        Outgoing { bytes, fds, chain: None }
    }

    #[inline]
    fn recycle(self) {
        if let Self::Plain(encoder) = self {
            encoder.recycle();
        }
    }
}

fn done(waited: Result<Waited<()>, SendError>) -> Result<(), SendError> {
    match waited? {
        Waited::Done(()) => Ok(()),
        Waited::TimedOut => Err(SendError::TimedOut),
        Waited::Over => Err(SendError::Disconnected),
    }
}

impl<T> QueueSender<T> {
    /// How many items are in the queue, which may have changed when this returns. Python's `qsize()`, everywhere.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.core().queued() as usize
    }

    /// Whether there is no item now. True to what was put before: a `put` is there for all when it returns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.core().is_empty()
    }

    /// Whether there is no room now. Never for a queue without a bound, as far as memory goes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.end.core().has_room()
    }

    pub(super) fn new(end: Arc<End>) -> Self {
        Self { end, item: PhantomData }
    }
}

impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.end))
    }
}

/// In messages of this library only.
impl<T> Serialize for QueueSender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::send(Some(&self.end), None, serializer)
    }
}

impl<'de, T> Deserialize<'de> for QueueSender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match wire::receive(deserializer)? {
            (Some(end), None) => Ok(Self::new(Arc::new(end))),
            _ => Err(de::Error::custom("the handle that came is none of a queue's putting side")),
        }
    }
}

impl<T> AsFd for QueueSender<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.watch()
    }
}

impl<T> fmt::Debug for QueueSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueSender").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Why not all of many values were put. The first [`put`](Self::put) of them are in the queue.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};
///
/// let odd = PathBuf::from(OsStr::from_bytes(b"\xff")); // no UTF-8: serde does not write it
/// let queue = mp::Queue::<PathBuf>::unbounded()?;
/// let error = queue.put_many([PathBuf::from("a"), odd, PathBuf::from("b")]).unwrap_err();
/// assert_eq!((error.put(), queue.len()), (1, 1)); // "a", and nothing after it
/// assert!(matches!(error.cause(), mp::SendError::Unencodable(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PutManyError {
    put: usize,
    cause: SendError,
}

impl PutManyError {
    /// How many were put.
    #[must_use]
    pub fn put(&self) -> usize {
        self.put
    }

    /// What became of the next one.
    #[must_use]
    pub fn cause(&self) -> &SendError {
        &self.cause
    }
}

impl fmt::Display for PutManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, after {} items were put", self.cause, self.put)
    }
}

/// The same as [`Display`](fmt::Display).
impl fmt::Debug for PutManyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// It has no `source`: the text of the cause is part of this one's.
impl std::error::Error for PutManyError {}

impl From<PutManyError> for Error {
    fn from(error: PutManyError) -> Self {
        let put = error.put;
        Self::from(error.cause).context(format!("after {put} items were put"))
    }
}
