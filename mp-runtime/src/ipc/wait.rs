//! Waiting for any of several things.

use std::{os::fd::AsFd, time::Duration};

use crate::{
    error::{Error, Result},
    sys::poll::{self, Deadline},
};

/// Waits until one or more of `sources` are ready, but not longer than `timeout`; for ever, if it is `None`.
///
/// Returns the indices of all that are ready, in order; none if the time is over. Nothing is taken from them.
///
/// | source | ready when |
/// |---|---|
/// | [`Receiver`](crate::Receiver), [`Connection`](crate::Connection) | there is a message, or the end of the stream |
/// | [`Sender`](crate::Sender) | all receivers are gone |
/// | [`Process`](crate::Process) | it has ended: Python's `sentinel` |
/// | [`ParentProcess`](crate::ParentProcess) | the parent has ended |
/// | sockets, pipes, terminals | a read would not wait: data, the end, or a peer to accept |
/// | [`Selector`](crate::Selector) | something in it is ready |
/// | regular files | always |
///
/// No sources at all: it waits the timeout out, as Python's does. Who waits for the same things again and again uses a
/// [`Selector`](crate::Selector).
///
/// # Errors
///
/// The kernel's, from `poll(2)`: EINVAL for more sources than this process may have descriptors.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn say(text: String, to: mp::Sender<String>) -> mp::Result<()> {
///     Ok(to.send(&text)?)
/// }
///
/// # fn main() -> mp::Result<()> {
/// let (to, answers) = mp::channel()?;
/// let child = mp::spawn(say, ("hello".to_owned(), to))?;
/// // The answer, or the end of a child that cannot give it any more. Messages first: a child that has sent one and
/// // ended makes both ready.
/// match mp::wait(&[&answers, &child], Some(Duration::from_secs(10)))?.first() {
///     Some(0) => assert_eq!(answers.recv()?, "hello"),
///     Some(_) => child.join()??,
///     None => println!("not in time"),
/// }
/// # Ok(())
/// # }
/// ```
pub fn wait(sources: &[&dyn AsFd], timeout: Option<Duration>) -> Result<Vec<usize>> {
    let fds: Vec<_> = sources.iter().map(|source| source.as_fd()).collect();
    let deadline = timeout.map_or(Deadline::NEVER, Deadline::after);
    poll::all_readable(&fds, deadline).map_err(|error| Error::os("wait", error))
}
