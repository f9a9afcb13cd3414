//! The side of a queue on which items are got.

use std::{
    fmt,
    marker::PhantomData,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned};

use super::{
    end::{End, Waited},
    get::Got,
    iter::{Batch, Drain, QueueIter},
    wire,
};
use crate::{
    codec::Message,
    error::{RecvError, Result},
    ipc::receiver::decode,
    sys::poll::Deadline,
};

/// The getting side of a [`Queue`](crate::Queue), by [`split`](crate::Queue::split).
///
/// Clones are the same side: each item goes to one of them. It is closed when the last of them, in all processes, is dropped or its
/// process has ended, and no whole [`Queue`](crate::Queue) is left; whoever puts then gets [`SendError::Disconnected`](crate::SendError::Disconnected).
/// As a descriptor ([`AsFd`]) it is ready when there is an item, or nobody to put one.
///
/// **What a process has got is lost if it is killed** before it has used it; [`JoinableQueue`](crate::JoinableQueue) gives it to others instead.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn add_up(numbers: mp::QueueReceiver<u32>) -> mp::Result<u32> {
///     Ok(numbers.iter().sum::<Result<u32, _>>()?) // until nobody can put any more
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (to, numbers) = mp::Queue::unbounded()?.split();
/// let workers = [mp::spawn(add_up, (numbers.clone(),))?, mp::spawn(add_up, (numbers,))?];
/// to.put_many(1..=100)?; // each of them goes to one of the two
/// drop(to);
/// let [one, other] = workers;
/// assert_eq!(one.join()?? + other.join()??, 5050);
/// # Ok(())
/// # }
/// ```
pub struct QueueReceiver<T> {
    pub(in crate::ipc) end: Arc<End>,
    item: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> QueueReceiver<T> {
    /// Takes the next item; waits for one.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] when nothing is left and nobody can put any more, however they ended;
    /// [`RecvError::Undecodable`], and the item is lost; [`RecvError::Os`], with EMFILE where this process has no room for the item's
    /// descriptors, and the item stays; [`RecvError::Damaged`].
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (to, from) = mp::Queue::unbounded()?.split();
    /// to.put(&1)?;
    /// drop(to);
    /// assert_eq!(from.get()?, 1); // what was put is there,
    /// assert!(matches!(from.get(), Err(mp::RecvError::Disconnected))); // and then nothing more
    /// # Ok(())
    /// # }
    /// ```
    pub fn get(&self) -> Result<T, RecvError> {
        decode(self.message_by(Deadline::NEVER)?)
    }

    /// [`get`](Self::get), but it does not wait. Python's `get_nowait`.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if there is nothing (Python's `Empty`), and those of [`get`](Self::get).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (to, from) = mp::Queue::<u32>::unbounded()?.split();
    /// assert!(matches!(from.try_get(), Err(mp::RecvError::TimedOut)));
    /// to.put(&1)?;
    /// assert_eq!(from.try_get()?, 1); // there at once
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_get(&self) -> Result<T, RecvError> {
        decode(self.message_by(Deadline::NOW)?)
    }

    /// [`get`](Self::get), but it waits no longer than `timeout`. That is for the whole item: it comes at once or not at all.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if nothing came in time (Python's `Empty`), and those of [`get`](Self::get).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// use std::time::Duration;
    ///
    /// let (_to, from) = mp::Queue::<u32>::unbounded()?.split();
    /// assert!(matches!(from.get_timeout(Duration::from_millis(10)), Err(mp::RecvError::TimedOut)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        decode(self.message_by(Deadline::after(timeout))?)
    }

    /// Takes up to `most` items, in their order: all that are there, as long as they are small together (some 64 KiB), and one at
    /// least. Waits for that one. Several times as fast as one by one.
    ///
    /// All of them are this process's from then on, also those that the [`Batch`] has not decoded yet.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); but an item that does not decode is an `Err` of the batch. [`Batch`] has an example.
    pub fn get_many(&self, most: usize) -> Result<Batch<T>, RecvError> {
        let mut got = Got::default();
        if most > 0 {
            done(self.end.wait(Deadline::NEVER, || self.end.try_get_many(most, &mut got)).map_err(RecvError::from))?;
        }
        Ok(Batch::new(got))
    }

    /// The items, as they come, until nothing is left and nobody can put any more.
    ///
    /// An item that does not decode is an `Err`, and the next one follows. After any other error it ends. [`QueueIter`] has an
    /// example.
    pub fn iter(&self) -> QueueIter<'_, T> {
        QueueIter::new(self)
    }

    /// The items that are there, without waiting for more: ends when there is none. [`Drain`] has an example.
    pub fn drain(&self) -> Drain<'_, T> {
        Drain::new(self)
    }

    fn message_by(&self, deadline: Deadline) -> Result<Message, RecvError> {
        done(self.end.wait(deadline, || self.end.try_get()).map_err(RecvError::from))
    }
}

fn done<R>(waited: Result<Waited<R>, RecvError>) -> Result<R, RecvError> {
    match waited? {
        Waited::Done(done) => Ok(done),
        Waited::TimedOut => Err(RecvError::TimedOut),
        Waited::Over => Err(RecvError::Disconnected),
    }
}

impl<T> QueueReceiver<T> {
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

    /// Whether there is no room now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.end.core().has_room()
    }

    pub(super) fn new(end: Arc<End>) -> Self {
        Self { end, item: PhantomData }
    }
}

impl<T> Clone for QueueReceiver<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.end))
    }
}

/// In messages of this library only.
impl<T> Serialize for QueueReceiver<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::send(None, Some(&self.end), serializer)
    }
}

impl<'de, T> Deserialize<'de> for QueueReceiver<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match wire::receive(deserializer)? {
            (None, Some(end)) => Ok(Self::new(Arc::new(end))),
            _ => Err(de::Error::custom("the handle that came is none of a queue's getting side")),
        }
    }
}

impl<T> AsFd for QueueReceiver<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.watch()
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a QueueReceiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = QueueIter<'a, T>;

    fn into_iter(self) -> QueueIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for QueueReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueReceiver").field("len", &self.len()).finish_non_exhaustive()
    }
}
