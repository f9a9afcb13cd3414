//! A queue without a bound and without timeouts.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Queue;
use crate::{
    error::{RecvError, Result, SendError},
    ipc::Message,
};

/// Python's `SimpleQueue`: [`Queue::unbounded`] with just this.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn greet(names: mp::SimpleQueue<String>, greetings: mp::SimpleQueue<String>) -> mp::Result<()> {
///     Ok(greetings.put(&format!("hello, {}", names.get()?))?)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (names, greetings) = (mp::SimpleQueue::new()?, mp::SimpleQueue::new()?);
/// mp::spawn(greet, (names.clone(), greetings.clone()))?.detach();
/// names.put(&"world".to_owned())?;
/// assert_eq!(greetings.get()?, "hello, world");
/// assert!(greetings.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct SimpleQueue<T>(Queue<T>);

impl<T: Message> SimpleQueue<T> {
    /// A new, empty one.
    ///
    /// # Errors
    ///
    /// As [`Queue::unbounded`].
    pub fn new() -> Result<Self> {
        Queue::unbounded().map(Self)
    }
}

impl<T: Serialize> SimpleQueue<T> {
    /// Puts a copy of `value`, which is there for all when this returns.
    ///
    /// # Errors
    ///
    /// As [`QueueSender::put`](super::QueueSender::put).
    pub fn put(&self, value: &T) -> Result<(), SendError> {
        self.0.put(value)
    }
}

impl<T: DeserializeOwned> SimpleQueue<T> {
    /// Takes the next item; waits for one.
    ///
    /// # Errors
    ///
    /// As [`QueueReceiver::get`](super::QueueReceiver::get).
    pub fn get(&self) -> Result<T, RecvError> {
        self.0.get()
    }
}

impl<T> SimpleQueue<T> {
    /// Whether there is no item now. Python's `empty()`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives this handle back, as a drop does. Python's `close()`.
    pub fn close(self) {}
}

impl<T> Clone for SimpleQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
