//! Waiting for the same things again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::libc;

use crate::{
    error::{Error, Result},
    sys::{epoll::Epoll, poll::Deadline},
};

/// The most that one wait returns; the rest comes with the next one.
const MOST: usize = 1024;

/// A set of things to wait for: [`wait`](crate::wait()) for many, where what each wait costs does not grow with their
/// number.
///
/// It owns its sources, or borrows them where `S` is a reference; for sources of different types, `S` is an enum, as
/// below, or `Box<dyn AsFd>` where it is enough to know the key. The table of [`wait`](crate::wait()) says when each is
/// ready. What is ready and not dealt with is reported again by the next wait; of more than 1024 that are ready, the
/// others come first then.
///
/// As a descriptor ([`AsFd`]) it is ready when something in it is, files aside: they always are.
///
/// # Examples
///
/// The messages of several children, and their ends, which may be seen before the last of their messages:
///
/// ```
/// use std::os::fd::{AsFd, BorrowedFd};
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn count(upto: u32, to: mp::Sender<u32>) -> mp::Result<()> {
///     (1..=upto).try_for_each(|number| Ok(to.send(&number)?))
/// }
///
/// enum Source {
///     Numbers(mp::Receiver<u32>),
///     Child(mp::Process<mp::Result<()>>),
/// }
///
/// impl AsFd for Source {
///     fn as_fd(&self) -> BorrowedFd<'_> {
///         match self {
///             Self::Numbers(numbers) => numbers.as_fd(),
///             Self::Child(child) => child.as_fd(),
///         }
///     }
/// }
///
/// # fn main() -> mp::Result<()> {
/// let mut selector = mp::Selector::new()?;
/// for upto in [2, 5, 3] {
///     let (to, numbers) = mp::channel()?;
///     selector.add(Source::Child(mp::spawn(count, (upto, to))?))?;
///     selector.add(Source::Numbers(numbers))?;
/// }
/// let mut sum = 0;
/// while !selector.is_empty() {
///     for key in selector.wait(None)? {
///         match selector.get(key) {
///             Some(Source::Numbers(numbers)) => match numbers.try_recv() {
///                 Ok(number) => sum += number,
///                 Err(mp::RecvError::Disconnected) => drop(selector.remove(key)),
///                 Err(error) => return Err(error.into()),
///             },
///             Some(Source::Child(child)) => {
///                 child.join()??;
///                 selector.remove(key);
///             }
///             None => {}
///         }
///     }
/// }
/// assert_eq!(sum, (1 + 2) + (1 + 2 + 3 + 4 + 5) + (1 + 2 + 3));
/// # Ok(())
/// # }
/// ```
pub struct Selector<S> {
    epoll: Epoll,
    sources: BTreeMap<Key, S>,
    /// Of these, the files, which the kernel does not watch because they are always ready.
    files: BTreeSet<Key>,
    next: u64,
}

/// What a [`Selector`] calls a source. A key is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl<S: AsFd> Selector<S> {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// The kernel's, from `epoll_create(2)`: EMFILE.
    pub fn new() -> Result<Self> {
        let epoll = Epoll::new().map_err(|error| Error::os("make a selector", error))?;
        Ok(Self { epoll, sources: BTreeMap::new(), files: BTreeSet::new(), next: 0 })
    }

    /// From here on waits for `source`, too.
    ///
    /// # Errors
    ///
    /// The kernel's, from `epoll_ctl(2)`: EEXIST if this very descriptor is in it already. The source is dropped then; who
    /// wants to keep it adds a reference or a clone.
    pub fn add(&mut self, source: S) -> Result<Key> {
        let key = Key(self.next);
        match self.epoll.add(&source, key.0) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => drop(self.files.insert(key)),
            Err(error) => return Err(Error::os("add to a selector", error)),
        }
        self.next += 1;
        self.sources.insert(key, source);
        Ok(key)
    }

    /// Waits for it no longer, and gives it back. `None` if it is not there.
    pub fn remove(&mut self, key: Key) -> Option<S> {
        let source = self.sources.remove(&key)?;
        if !self.files.remove(&key) {
            // It may have been closed under our hands, and is not there then.
            self.epoll.delete(&source).ok();
        }
        Some(source)
    }

    /// The source of that key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&S> {
        self.sources.get(&key)
    }

    /// All sources, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &S)> {
        self.sources.iter().map(|(key, source)| (*key, source))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Waits until one or more sources are ready, but not longer than `timeout`; for ever, if it is `None`.
    ///
    /// Returns the keys of those that are; none if the time is over. Nothing is taken from them.
    ///
    /// # Errors
    ///
    /// The kernel's, from `epoll_wait(2)`.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<Key>> {
        let deadline = match timeout {
            _ if !self.files.is_empty() => Deadline::after(Duration::ZERO),
            None => Deadline::NEVER,
            Some(timeout) => Deadline::after(timeout),
        };
        let most = self.sources.len().min(MOST);
        let ready = self.epoll.wait(most, deadline).map_err(|error| Error::os("wait", error))?;
        Ok(ready.into_iter().map(Key).chain(self.files.iter().copied()).collect())
    }
}

impl<S> AsFd for Selector<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl<S> fmt::Debug for Selector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}
