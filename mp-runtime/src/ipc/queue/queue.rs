//! A queue with both of its sides.

use std::{
    borrow::Borrow,
    fmt,
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned};

use super::{
    Batch, Drain, PutManyError, QueueIter, QueueReceiver, QueueSender,
    core::Core,
    end::{self, End},
    place::MOST_ITEMS,
    wire,
};
use crate::{
    error::{Error, RecvError, Result, SendError},
    fault,
    ipc::Message,
};

/// A queue of many producers and many consumers, in any processes: Python's `Queue`.
///
/// An item that was [put](Self::put) is there for all when the call returns: nothing is sent behind the scenes, nothing has to be flushed or joined,
/// and a process may end at any moment. Each item goes to one consumer, whole; those of one producer in their order. Clones, and what
/// arrives where it is sent, are the same queue, in any message.
///
/// **Whoever is killed, at whatever instruction, leaves the queue whole**: what it had put is delivered once, what it was putting was never
/// there, and nobody waits for it. What it had *got* is lost with it; [`JoinableQueue`](crate::JoinableQueue) gives that to others instead.
///
/// This handle both puts and gets, so nobody who has one ever gets `Disconnected`: as in Python, the end has to be said, by an item that
/// means it or by [`shutdown`](Self::shutdown). [`split`](Self::split) makes two handles of it that learn of each other's end, also by a kill.
///
/// | item | way |
/// |---|---|
/// | up to 32 KiB | in the ring, copied under its lock |
/// | up to 16 MiB | in the queue's memory, copied outside of the lock |
/// | beyond that | in memory of its own, sent by descriptor as on [connections](crate::Sender) |
/// | descriptors in the value: files, ends, handles | on a socket of the queue: some 270 such items, or descriptors up to `ulimit -n` in all messages of the user; then `put` waits |
///
/// Memory that items have used goes back to the system, but for 4 MiB. A queue has five descriptors, a handle of one side three.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(numbers: mp::QueueReceiver<u64>, squares: mp::QueueSender<u64>) -> mp::Result<()> {
///     for number in &numbers {
///         squares.put(&number?.pow(2))?;
///     }
///     Ok(()) // the last producer is gone
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (to, numbers) = mp::Queue::bounded(100)?.split();
/// let (squares, from) = mp::Queue::unbounded()?.split();
/// let workers: Vec<_> =
///     (0..2).map(|_| mp::spawn(square, (numbers.clone(), squares.clone()))).collect::<Result<_, _>>()?;
/// drop((numbers, squares)); // only the workers' are left
/// to.put_many(1..=10)?;
/// drop(to);
/// let sum: Result<u64, _> = from.iter().sum(); // until the last worker has ended
/// assert_eq!(sum?, 385);
/// for worker in workers {
///     worker.join()??;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Queue<T> {
    sender: QueueSender<T>,
    receiver: QueueReceiver<T>,
}

impl<T: Message> Queue<T> {
    /// A queue for `most` items: whoever puts one more waits. Python's `maxsize`.
    ///
    /// # Errors
    ///
    /// No items at all, or more than 2³⁰-1; EMFILE, where this process may not have five more descriptors.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let queue = mp::Queue::bounded(1)?;
    /// queue.put(&"first".to_owned())?;
    /// assert!(matches!(queue.try_put(&"second".to_owned()), Err(mp::SendError::TimedOut))); // Python's Full
    /// # Ok(())
    /// # }
    /// ```
    pub fn bounded(most: usize) -> Result<Self> {
        Self::create_bounded(most, false)
    }

    pub(super) fn create_bounded(most: usize, is_joinable: bool) -> Result<Self> {
        match u32::try_from(most) {
            Ok(bound @ 1..=MOST_ITEMS) => Self::create(bound, is_joinable),
            _ => Err(Error::invalid(format!("a queue is for 1 to {MOST_ITEMS} items, not {most}"))),
        }
    }

    /// A queue that holds as many items as there is memory for.
    ///
    /// That is as many bytes as [`memory_limit`](Self::memory_limit) says; whoever puts one more waits, as with a bound, instead of taking
    /// the machine's last memory. (Items beyond 16 MiB are not counted there, but they are some 270 at most.)
    ///
    /// # Errors
    ///
    /// As [`bounded`](Self::bounded).
    pub fn unbounded() -> Result<Self> {
        Self::create(0, false)
    }

    pub(super) fn create(bound: u32, is_joinable: bool) -> Result<Self> {
        let core = Core::create(bound, is_joinable).map_err(|error| error.context("cannot make a queue"))?;
        let (puts, gets) = end::pair(&Arc::new(core))?;
        Ok(Self { sender: QueueSender::new(Arc::new(puts)), receiver: QueueReceiver::new(Arc::new(gets)) })
    }
}

impl<T: Serialize> Queue<T> {
    /// Puts a copy of `value`; waits while the queue is full: [`QueueSender::put`].
    ///
    /// # Errors
    ///
    /// As [`QueueSender::put`]; `Disconnected` only after [`shutdown`](Self::shutdown).
    pub fn put(&self, value: &T) -> Result<(), SendError> {
        self.sender.put(value)
    }

    /// [`put`](Self::put), but it does not wait. Python's `put_nowait`.
    ///
    /// # Errors
    ///
    /// As [`QueueSender::try_put`].
    pub fn try_put(&self, value: &T) -> Result<(), SendError> {
        self.sender.try_put(value)
    }

    /// [`put`](Self::put), but it waits for room no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`QueueSender::put_timeout`].
    pub fn put_timeout(&self, value: &T, timeout: Duration) -> Result<(), SendError> {
        self.sender.put_timeout(value, timeout)
    }

    /// Puts copies of many values, many at a time: [`QueueSender::put_many`].
    ///
    /// # Errors
    ///
    /// As [`QueueSender::put_many`].
    pub fn put_many<V: Borrow<T>>(&self, values: impl IntoIterator<Item = V>) -> Result<(), PutManyError> {
        self.sender.put_many(values)
    }
}

impl<T: DeserializeOwned> Queue<T> {
    /// Takes the next item; waits for one: [`QueueReceiver::get`].
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::get`]; `Disconnected` only after [`shutdown`](Self::shutdown).
    pub fn get(&self) -> Result<T, RecvError> {
        self.receiver.get()
    }

    /// [`get`](Self::get), but it does not wait. Python's `get_nowait`.
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::try_get`].
    pub fn try_get(&self) -> Result<T, RecvError> {
        self.receiver.try_get()
    }

    /// [`get`](Self::get), but it waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::get_timeout`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.receiver.get_timeout(timeout)
    }

    /// Takes up to `most` items, and one at least: [`QueueReceiver::get_many`].
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::get_many`].
    pub fn get_many(&self, most: usize) -> Result<Batch<T>, RecvError> {
        self.receiver.get_many(most)
    }

    /// The items as they come, until [`shutdown`](Self::shutdown) and nothing is left: [`QueueReceiver::iter`].
    pub fn iter(&self) -> QueueIter<'_, T> {
        self.receiver.iter()
    }

    /// The items that are there, without waiting for more: [`QueueReceiver::drain`].
    pub fn drain(&self) -> Drain<'_, T> {
        self.receiver.drain()
    }
}

impl<T> Queue<T> {
    /// How many items are in the queue, which may have changed when this returns. Python's `qsize()`, everywhere.
    #[must_use]
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether there is no item now. True to what was put before, unlike Python's `empty()`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Whether there is no room now. Never for a queue without a bound, as far as memory goes.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.sender.is_full()
    }

    /// How many bytes of items it can hold, in all: half of the machine's memory, 64 GiB at most. An item takes 8 bytes more than it has when encoded,
    /// and of what is left of a page or a segment of 64 KiB some is lost. Items beyond 16 MiB are not in it: there are some 270 of them at most.
    #[must_use]
    pub fn memory_limit(&self) -> usize {
        self.core().most_bytes()
    }

    /// One handle that puts, and one that gets, in place of this one. As soon as there are no whole queues any more, each side learns when
    /// the last of the other one is gone, whether it was dropped or its process killed.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let queue = mp::Queue::unbounded()?;
    /// queue.put(&1)?;
    /// let (to, from) = queue.split();
    /// drop(to); // the last that could put
    /// assert_eq!(from.get()?, 1);
    /// assert!(matches!(from.get(), Err(mp::RecvError::Disconnected)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn split(self) -> (QueueSender<T>, QueueReceiver<T>) {
        (self.sender, self.receiver)
    }

    /// Says that nothing more will be put, by anyone. What is in the queue can still be got; then whoever gets, or waits for an item, gets
    /// `Disconnected`, as does whoever puts. Python's thread queues have it (3.13), those of `multiprocessing` not.
    ///
    /// # Errors
    ///
    /// [`Error::is_protocol`] if the queue's memory is damaged.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let queue = mp::Queue::unbounded()?;
    /// queue.put_many(1..=3)?;
    /// queue.shutdown()?;
    /// assert!(matches!(queue.put(&4), Err(mp::SendError::Disconnected)));
    /// assert_eq!(queue.iter().collect::<Result<Vec<i32>, _>>()?, [1, 2, 3]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self) -> Result<()> {
        let (puts, gets) = (&self.sender.end, &self.receiver.end);
        {
            let _puts = self.core().lock(&self.core().part().puts)?;
            let _gets = self.core().lock(&self.core().part().gets)?;
            // Told first: who dies in between has told too much, not too little.
            self.core().put_bell().tell(puts.control())?;
            self.core().get_bell().tell(gets.control())?;
            fault::point_named("queue-shut-told");
            self.core().part().is_shut.store(1, SeqCst);
            fault::point_named("queue-shut");
        }
        self.core().put_bell().wake();
        self.core().get_bell().wake();
        Ok(())
    }

    /// Gives this handle back, as a drop does. Python's `close()`: this process will not use it any more. Others can.
    pub fn close(self) {}

    pub(super) fn core(&self) -> &Core {
        self.receiver.end.core()
    }

    pub(super) fn putting_end(&self) -> &Arc<End> {
        &self.sender.end
    }

    pub(super) fn getting_end(&self) -> &Arc<End> {
        &self.receiver.end
    }

    pub(super) fn from_ends(puts: End, gets: End) -> Self {
        // Both of one queue, of which this process has one mapping then.
        Self { sender: QueueSender::new(Arc::new(puts)), receiver: QueueReceiver::new(Arc::new(gets)) }
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), receiver: self.receiver.clone() }
    }
}

/// In messages of this library only.
impl<T> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::send(Some(&self.sender.end), Some(&self.receiver.end), serializer)
    }
}

impl<'de, T> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match wire::receive(deserializer)? {
            (Some(puts), Some(gets)) if !gets.core().is_joinable() => Ok(Self::from_ends(puts, gets)),
            _ => Err(de::Error::custom("the handle that came is none of a whole queue")),
        }
    }
}

/// Ready when there is an item, or after [`shutdown`](Queue::shutdown).
impl<T> AsFd for Queue<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a Queue<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = QueueIter<'a, T>;

    fn into_iter(self) -> QueueIter<'a, T> {
        self.iter()
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}
