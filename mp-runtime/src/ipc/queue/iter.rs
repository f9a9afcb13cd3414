//! Items one after another.

use std::{iter::FusedIterator, marker::PhantomData, vec};

use serde::de::DeserializeOwned;

use super::{QueueReceiver, get::Got};
use crate::{
    codec::{Decoder, Message},
    error::RecvError,
    ipc::{iter::item, message::kind, receiver::decode},
};

/// The items of a queue as they come, by [`QueueReceiver::iter`].
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// let (to, from) = mp::Queue::unbounded()?.split();
/// to.put_many(1..=3)?;
/// drop(to);
/// let mut sum = 0;
/// for number in &from {
///     sum += number?;
/// }
/// assert_eq!(sum, 6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct QueueIter<'a, T> {
    receiver: &'a QueueReceiver<T>,
    ended: bool,
}

impl<'a, T> QueueIter<'a, T> {
    pub(super) fn new(receiver: &'a QueueReceiver<T>) -> Self {
        Self { receiver, ended: false }
    }
}

impl<T: DeserializeOwned> Iterator for QueueIter<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { item(self.receiver.get(), &mut self.ended) }
    }
}

impl<T: DeserializeOwned> FusedIterator for QueueIter<'_, T> {}

/// The items of a queue as they come, by the `into_iter` of a [`QueueReceiver`], which this one owns.
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct QueueIntoIter<T> {
    receiver: QueueReceiver<T>,
    ended: bool,
}

impl<T: DeserializeOwned> Iterator for QueueIntoIter<T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { item(self.receiver.get(), &mut self.ended) }
    }
}

impl<T: DeserializeOwned> FusedIterator for QueueIntoIter<T> {}

/// Until nothing is left and nobody can put any more.
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// let (sender, receiver) = mp::Queue::unbounded()?.split();
/// sender.put_many(1..=3)?;
/// drop(sender);
/// assert_eq!(receiver.into_iter().sum::<Result<i32, _>>()?, 6);
/// # Ok(())
/// # }
/// ```
impl<T: DeserializeOwned> IntoIterator for QueueReceiver<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = QueueIntoIter<T>;

    fn into_iter(self) -> QueueIntoIter<T> {
        QueueIntoIter { receiver: self, ended: false }
    }
}

/// The items that are in a queue, by [`QueueReceiver::drain`].
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// let queue = mp::Queue::unbounded()?;
/// queue.put_many(1..=3)?;
/// assert_eq!(queue.drain().collect::<Result<Vec<i32>, _>>()?, [1, 2, 3]);
/// assert_eq!(queue.drain().count(), 0); // `iter` would wait for more
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is asked"]
pub struct Drain<'a, T> {
    receiver: &'a QueueReceiver<T>,
    ended: bool,
}

impl<'a, T> Drain<'a, T> {
    pub(super) fn new(receiver: &'a QueueReceiver<T>) -> Self {
        Self { receiver, ended: false }
    }
}

impl<T: DeserializeOwned> Iterator for Drain<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match item(self.receiver.try_get(), &mut self.ended) {
            Some(Err(RecvError::TimedOut)) => None,
            other => other,
        }
    }
}

impl<T: DeserializeOwned> FusedIterator for Drain<'_, T> {}

/// Items that were got together, by [`QueueReceiver::get_many`]. Those that are not taken out of it are lost with it.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # fn main() -> mp::Result<()> {
/// let queue = mp::Queue::unbounded()?;
/// queue.put_many(1..=5)?;
/// let batch = queue.get_many(3)?;
/// assert_eq!((batch.len(), queue.len()), (3, 2)); // the three are ours, decoded or not
/// assert_eq!(batch.collect::<Result<Vec<i32>, _>>()?, [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the items were taken out of the queue, and are lost if they are not taken out of this"]
pub struct Batch<T> {
    message: Message,
    start: usize,
    ends: vec::IntoIter<usize>,
    alone: Option<Result<Message, RecvError>>,
    item: PhantomData<fn() -> T>,
}

impl<T> Batch<T> {
    pub(super) fn new(got: Got) -> Self {
        let Got { bytes, ends, alone } = got;
        let alone = alone.map(|message| message.map_err(RecvError::from));
        Self { message: Message::plain(kind::VALUE, bytes), start: 0, ends: ends.into_iter(), alone, item: PhantomData }
    }
}

impl<T: DeserializeOwned> Iterator for Batch<T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(message) = self.alone.take() {
            return Some(message.and_then(decode));
        }
        let end = self.ends.next()?;
        let decoder = Decoder::within(&self.message, self.start..end);
        self.start = end;
        match decoder.take_last() {
            Ok(value) => Some(Ok(value)),
            Err(error) => Some(Err(RecvError::Undecodable(error))),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ends.len() + usize::from(self.alone.is_some());
        (left, Some(left))
    }
}

impl<T: DeserializeOwned> ExactSizeIterator for Batch<T> {}
impl<T: DeserializeOwned> FusedIterator for Batch<T> {}
