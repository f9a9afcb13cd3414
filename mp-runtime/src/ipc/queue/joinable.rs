//! A queue that knows what is done, and takes back what its holders leave undone.

use std::{
    borrow::Borrow,
    fmt,
    iter::FusedIterator,
    ops::{Deref, DerefMut},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    thread,
    time::Duration,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};

use super::{
    PutManyError, Queue,
    end::{End, Waited},
    hold::Held,
    stop::Stop,
    wire,
};
use crate::{
    error::{RecvError, Result, SendError},
    ipc::{Message, iter::item, receiver::decode},
    sys::poll::Deadline,
};

/// A queue whose items are done when their taker says so: Python's `JoinableQueue`.
///
/// [`get`](Self::get) gives out an item as a guard, [`Taken`]: it is done when the guard is dropped, and [`join`](Self::join) waits until all
/// that were put are. So none can be forgotten, or be said to be done twice.
///
/// **What a consumer has taken goes to another if it is killed**, or ends in any other way, before it is done; also with the files and
/// handles inside. The others learn of it within a tenth of a second: who waits for an item, or for all to be done, looks ten times a second
/// (what came back is not told on the [descriptor](AsFd)). A consumer that is killed
/// just when it says that an item is done may have done it all the same: whoever cannot do a thing twice asks [`Taken::deliveries`].
///
/// Otherwise it is a [`Queue`]. A taken item stays in the queue's memory: as a copy, at least a page, if it is small.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn work(numbers: mp::JoinableQueue<u32>) -> mp::Result<()> {
///     for number in &numbers {
///         println!("{}", number?.pow(2)); // done here, when the guard is dropped
///     }
///     Ok(())
/// }
///
/// # fn main() -> mp::Result<()> {
/// let numbers = mp::JoinableQueue::unbounded()?;
/// let workers: Vec<_> =
///     (0..2).map(|_| mp::spawn(work, (numbers.clone(),))).collect::<Result<_, _>>()?;
/// numbers.put_many(1..=10)?;
/// numbers.join()?; // all ten were printed
/// numbers.shutdown()?; // the workers' loops end
/// for worker in workers {
///     worker.join()??;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct JoinableQueue<T>(Queue<T>);

impl<T: Message> JoinableQueue<T> {
    /// A queue for `most` items: whoever puts one more waits. Items that were taken do not count.
    ///
    /// # Errors
    ///
    /// As [`Queue::bounded`].
    pub fn bounded(most: usize) -> Result<Self> {
        Queue::create_bounded(most, true).map(Self)
    }

    /// A queue that holds as many items as there is memory for, as [`Queue::unbounded`].
    ///
    /// # Errors
    ///
    /// As [`bounded`](Self::bounded).
    pub fn unbounded() -> Result<Self> {
        Queue::create(0, true).map(Self)
    }
}

impl<T: Serialize> JoinableQueue<T> {
    /// Puts a copy of `value`; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Queue::put`].
    pub fn put(&self, value: &T) -> Result<(), SendError> {
        self.0.put(value)
    }

    /// [`put`](Self::put), but it does not wait. Python's `put_nowait`.
    ///
    /// # Errors
    ///
    /// As [`Queue::try_put`].
    pub fn try_put(&self, value: &T) -> Result<(), SendError> {
        self.0.try_put(value)
    }

    /// [`put`](Self::put), but it waits for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`Queue::put_timeout`].
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.0.put_timeout(value, timeout)
    }

    /// Puts copies of many values, many at a time.
    ///
    /// # Errors
    ///
    /// As [`Queue::put_many`].
    pub fn put_many<V: Borrow<T>>(&self, values: impl IntoIterator<Item = V>) -> Result<(), PutManyError> {
        self.0.put_many(values)
    }
}

impl<T: DeserializeOwned> JoinableQueue<T> {
    /// Takes the next item, or one that came back; waits for one.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] after [`shutdown`](Self::shutdown), when nothing is left and nothing can come back any more;
    /// [`RecvError::Undecodable`], and the item is lost, and done; others as [`Queue::get`].
    pub fn get(&self) -> Result<Taken<T>, RecvError> {
        self.get_by(Deadline::NEVER)
    }

    /// [`get`](Self::get), but it does not wait. Python's `get_nowait`. It does not look who has died: what they had comes back while somebody
    /// waits in [`get`](Self::get), [`get_timeout`](Self::get_timeout) or [`join`](Self::join).
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if there is nothing, and those of [`get`](Self::get).
    pub fn try_get(&self) -> Result<Taken<T>, RecvError> {
        self.get_by(Deadline::NOW)
    }

    /// [`get`](Self::get), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`] if nothing came in time, and those of [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Taken<T>, RecvError> {
        self.get_by(Deadline::after(timeout))
    }

    /// The items as they come, until [`shutdown`](Self::shutdown) and all are done. After an error that is not about one item only it
    /// ends.
    pub fn iter(&self) -> JoinableIter<'_, T> {
        JoinableIter { queue: self, ended: false }
    }

    fn get_by(&self, deadline: Deadline) -> Result<Taken<T>, RecvError> {
        let end = self.0.getting_end();
        let held = match end.wait(deadline, || end.try_hold())? {
            Waited::Done(held) => held,
            Waited::TimedOut => return Err(RecvError::TimedOut),
            Waited::Over => return Err(RecvError::Disconnected),
        };
        let Held { first, deliveries, message } = held;
        let mut out = Out { puts: Arc::clone(self.0.putting_end()), gets: Arc::clone(end), first: Some(first) };
        match message {
            // If it does not decode, it is done with the drop.
            Ok(message) => decode(message).map(|value| Taken { value, deliveries, out }),
            Err(failed @ Stop::Failed(_)) => {
                out.give_back()?;
                Err(failed.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl<T> JoinableQueue<T> {
    /// Waits until all items that were put are done; those that are put meanwhile, too. Where all who take items have died, that
    /// is for ever: [`join_timeout`](Self::join_timeout), and a look at them.
    ///
    /// # Errors
    ///
    /// [`Error::is_protocol`](crate::Error::is_protocol) if the queue's memory is damaged.
    pub fn join(&self) -> Result<()> {
        self.0.core().join(Deadline::NEVER).map(drop)
    }

    /// [`join`](Self::join), but no longer than `timeout`. Returns whether all were done in time.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// use std::time::Duration;
    ///
    /// let queue = mp::JoinableQueue::unbounded()?;
    /// queue.put(&1)?;
    /// let taken = queue.get()?;
    /// assert!(queue.is_empty() && queue.unfinished() == 1); // taken, and not done
    /// assert!(!queue.join_timeout(Duration::from_millis(10))?);
    /// drop(taken);
    /// assert!(queue.join_timeout(Duration::ZERO)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.0.core().join(Deadline::after(timeout))
    }

    /// How many items were put and are not done yet, be they taken or not.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.0.core().unfinished() as usize
    }

    /// How many items are in the queue, without those that were taken, and those that came back. Python's `qsize()`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no item now, without those that were taken, and those that came back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is no room now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Says that nothing more will be put, by anyone. What is there, or comes back, can still be taken; then whoever gets, or waits for an item,
    /// gets `Disconnected`.
    ///
    /// # Errors
    ///
    /// As [`Queue::shutdown`].
    pub fn shutdown(&self) -> Result<()> {
        self.0.shutdown()
    }

    /// Gives this handle back, as a drop does. Python's `close()`.
    pub fn close(self) {}

    #[cfg(any(test, feature = "faults"))]
    pub(super) fn queue(&self) -> &Queue<T> {
        &self.0
    }
}

impl<T> Clone for JoinableQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// In messages of this library only.
impl<T> Serialize for JoinableQueue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for JoinableQueue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match wire::receive(deserializer)? {
            (Some(puts), Some(gets)) if gets.core().is_joinable() => Ok(Self(Queue::from_ends(puts, gets))),
            _ => Err(de::Error::custom("the handle that came is none of a joinable queue")),
        }
    }
}

/// Ready when there is an item, or after [`shutdown`](JoinableQueue::shutdown) when nothing can come back any more; not for what comes back
/// from the dead. Of that only [`get`](JoinableQueue::get), [`get_timeout`](JoinableQueue::get_timeout) and those that
/// [`join`](JoinableQueue::join) learn, while they wait.
impl<T> AsFd for JoinableQueue<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The items of a queue as they come, by [`JoinableQueue::iter`].
///
/// Whoever keeps one and asks for the next after [`shutdown`](JoinableQueue::shutdown) waits for himself: the one that he has may come back.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// let queue = mp::JoinableQueue::unbounded()?;
/// queue.put_many(1..=3)?;
/// queue.shutdown()?;
/// let mut sum = 0;
/// for number in &queue {
///     sum += number?.task_done()?;
/// }
/// assert_eq!(sum, 6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct JoinableIter<'a, T> {
    queue: &'a JoinableQueue<T>,
    ended: bool,
}

impl<T: DeserializeOwned> Iterator for JoinableIter<'_, T> {
    type Item = Result<Taken<T>, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { item(self.queue.get(), &mut self.ended) }
    }
}

impl<T: DeserializeOwned> FusedIterator for JoinableIter<'_, T> {}

impl<'a, T: DeserializeOwned> IntoIterator for &'a JoinableQueue<T> {
    type Item = Result<Taken<T>, RecvError>;
    type IntoIter = JoinableIter<'a, T>;

    fn into_iter(self) -> JoinableIter<'a, T> {
        self.iter()
    }
}

/// An item that was taken out of a [`JoinableQueue`], and is done when this is dropped. Dropped by a panic, it goes back to the others,
/// as if the process had died. An early return, also one by `?`, is no panic: the item is done.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn fail(words: mp::JoinableQueue<String>) -> mp::Result<()> {
///     let word = words.get()?;
///     panic!("{} is too hard", *word) // or a crash, or a `kill` from outside
/// }
///
/// # fn main() -> mp::Result<()> {
/// let words = mp::JoinableQueue::unbounded()?;
/// words.put(&"xyzzy".to_owned())?;
/// mp::spawn(fail, (words.clone(),))?.join().unwrap_err();
///
/// let word = words.get()?; // it came back
/// assert_eq!((word.as_str(), word.deliveries()), ("xyzzy", 2));
/// drop(word); // done
/// words.join()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the item is done as soon as this is dropped"]
pub struct Taken<T> {
    value: T,
    deliveries: u32,
    out: Out,
}

/// What the queue knows of it.
struct Out {
    puts: Arc<End>,
    gets: Arc<End>,
    /// The chain that it lies in; none: it is done, or back.
    first: Option<u32>,
}

impl<T> Taken<T> {
    /// Says that the item is done, as a drop does, and returns it. Python's `task_done()`.
    ///
    /// # Errors
    ///
    /// [`RecvError::Damaged`] if the queue's memory is.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let queue = mp::JoinableQueue::unbounded()?;
    /// queue.put(&"a word".to_owned())?;
    /// let word: String = queue.get()?.task_done()?;
    /// assert_eq!((word.as_str(), queue.unfinished()), ("a word", 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn task_done(self) -> Result<T, RecvError> {
        let Self { value, mut out, .. } = self;
        out.finish()?;
        Ok(value)
    }

    /// Gives the item back, for another to take; also for this process. It comes before all that is in the queue.
    ///
    /// # Errors
    ///
    /// [`RecvError::Damaged`] if the queue's memory is.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let queue = mp::JoinableQueue::unbounded()?;
    /// queue.put_many(1..=2)?;
    /// queue.get()?.give_back()?; // not now
    /// let again = queue.get()?;
    /// assert_eq!((*again, again.deliveries()), (1, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn give_back(self) -> Result<(), RecvError> {
        let Self { mut out, .. } = self;
        out.give_back()
    }

    /// How often this item was taken, with this time: more than once if one who had it died, or gave it back.
    #[must_use]
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }
}

impl Out {
    fn finish(&mut self) -> Result<(), RecvError> {
        // In the child of a `fork` it is the parent's.
        if let Some(first) = self.first.take().filter(|_| self.gets.core().block().is_own()) {
            self.gets.finish_item(first)?;
            self.puts.tell_if_over()?;
        }
        Ok(())
    }

    fn give_back(&mut self) -> Result<(), RecvError> {
        if let Some(first) = self.first.take().filter(|_| self.gets.core().block().is_own()) {
            self.gets.core().give_back(first).map_err(Stop::from)?;
            self.puts.tell().map_err(Stop::from)?;
        }
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let ended = if thread::panicking() { self.give_back() } else { self.finish() };
        // Fails only where the memory is damaged: the next call says so.
        ended.ok();
    }
}

impl<T> Deref for Taken<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Taken<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Taken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken")
            .field("value", &self.value)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
