//! What is left of a shared array while its windows are out.

use std::{
    fmt, io,
    marker::PhantomData,
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use bytemuck::Pod;

use super::SharedArray;
use crate::{
    error::{Error, Result},
    shm::Apart,
    sys::poll::Deadline,
};

/// The right to a [`SharedArray`] whose windows are out; it gives the array back when they have come back.
///
/// A window has come back when it was dropped, in whichever process. One whose holder has ended without that, however it
/// ended, does not come back; it is not waited for any longer, and [`Rejoined::lost`] names it.
/// So this never waits because a process died. It does wait for windows that somebody holds: in this process,
/// too, and in messages that nobody has received, as long as somebody could.
///
/// As a descriptor ([`AsFd`]) it is ready when no window is out: with [`wait`](crate::wait()) and
/// [`Selector`](crate::Selector) it can be waited for together with the processes that have the windows.
///
/// Dropped, it gives the array up; windows that are out stay valid, and the memory goes with the last of them.
#[must_use = "it is the only way back to the array"]
pub struct Rejoin<T> {
    apart: Apart,
    length: usize,
    windows: Vec<Range<usize>>,
    element: PhantomData<T>,
}

/// An array that is whole again.
pub struct Rejoined<T> {
    /// The array, with what the windows' holders have written.
    pub array: SharedArray<T>,
    /// The indices of the windows that were not dropped by their holder, in order: it was killed, it exited or panicked, or the
    /// message with the window was not sent or never received. Their elements are whatever was written until then.
    pub lost: Vec<Range<usize>>,
}

impl<T: Pod> Rejoin<T> {
    /// The array; waits while a window is out. Drop your own first.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`: no memory. The array is lost then.
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn fill(mut window: mp::SharedWindow<u8>) {
    ///     window.as_mut_slice().fill(1);
    ///     if window.offset() == 2 {
    ///         std::process::abort();
    ///     }
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let (windows, rejoin) = mp::SharedArray::zeroed(6)?.split(3)?;
    /// let children: Result<Vec<_>, _> = windows.into_iter().map(|window| mp::spawn(fill, (window,))).collect();
    /// let mp::Rejoined { array, lost } = rejoin.join()?;
    /// assert_eq!(lost, [2..4]);
    /// assert_eq!((array[0], array[5]), (1, 1));
    /// # drop(children?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(self) -> Result<Rejoined<T>> {
        let Self { mut apart, length, windows, .. } = self;
        loop {
            apart.wait(Deadline::NEVER).map_err(wait_failed)?;
            apart = match apart.join() {
                Ok((whole, lost)) => {
                    let lost = lost.into_iter().filter_map(|index| windows.get(index).cloned()).collect();
                    return Ok(Rejoined { array: SharedArray::new(whole, length), lost });
                }
                Err(apart) => apart,
            };
        }
    }

    /// Waits until no window is out, so that [`join`](Self::join) returns at once, but no longer than `timeout`. Returns
    /// whether that came in time. A duration of zero does not wait; a process that is just being started may count as a holder
    /// for a moment.
    ///
    /// # Errors
    ///
    /// The kernel's, from `poll(2)`: no memory.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use multiprocess as mp;
    /// # fn main() -> mp::Result<()> {
    /// let (windows, rejoin) = mp::SharedArray::<u8>::zeroed(5)?.split(2)?;
    /// assert!(!rejoin.wait_timeout(Duration::ZERO)?);
    /// drop(windows);
    /// assert!(rejoin.wait_timeout(Duration::from_secs(10))?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        self.apart.wait(Deadline::after(timeout)).map_err(wait_failed)
    }

    pub(super) fn new(apart: Apart, length: usize, windows: Vec<Range<usize>>) -> Self {
        Self { apart, length, windows, element: PhantomData }
    }
}

#[cold]
fn wait_failed(error: io::Error) -> Error {
    Error::os("wait for the windows of a shared array", error)
}

impl<T> AsFd for Rejoin<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.apart.as_fd()
    }
}

impl<T> fmt::Debug for Rejoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejoin").field("len", &self.length).field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for Rejoined<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejoined").field("array", &self.array).field("lost", &self.lost).finish()
    }
}
