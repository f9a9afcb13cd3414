//! How far a map has got, for whoever wants to be told.

use std::fmt;

use super::{Executor, Imap};
use crate::process::WorkerTarget;

/// How far a map has got: what [`Imap::on_progress`] tells.
///
/// # Examples
///
/// See [`Imap::on_progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// How many items have a result, or an error, that has been received.
    pub settled: u64,
    /// How many of these have no value.
    pub failed: u64,
    /// How many items were taken from the input.
    pub taken: u64,
    /// How many items there are: `None` while the input does not know it, which is when the bounds of its
    /// [`size_hint`](Iterator::size_hint) differ. Once it has ended, how many were taken.
    pub total: Option<u64>,
}

/// Who wants to be told.
#[derive(Default)]
pub(super) struct Listeners<'e>(Vec<Listener<'e>>);

struct Listener<'e> {
    callback: Box<dyn FnMut(&Progress) + Send + 'e>,
    told: Option<Progress>,
}

impl<'e> Listeners<'e> {
    fn add(&mut self, callback: impl FnMut(&Progress) + Send + 'e) {
        self.0.push(Listener { callback: Box::new(callback), told: None });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells them what they do not know yet.
    pub(super) fn tell(&mut self, progress: Progress) {
        for listener in &mut self.0 {
            // It may panic, and is not to be told the same again.
            if listener.told.replace(progress) != Some(progress) {
                (listener.callback)(&progress);
            }
        }
    }
}

impl<'e, E, F, I> Imap<'e, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
    /// Calls `callback` with how far this has got: in the thread that takes the results, once for all results that have come together, and at the
    /// end with everything. For [`map`](crate::Pool::map) with progress, say `pool.imap(f, items).on_progress(callback).after_all()`.
    ///
    /// Where results are handed out in the order of the items, one that waits for an earlier one is counted when its turn has come;
    /// [`imap_unordered`](crate::Tasks::imap_unordered) counts each as it comes. What is cut short, by a joiner or by dropping it, tells no
    /// more. Who asks twice has both called.
    ///
    /// # Panics
    ///
    /// A panic of the callback goes through whoever takes the results. These are still there, and are handed out the next time.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiprocess as mp;
    ///
    /// #[mp::process_target]
    /// fn root(x: f64) -> f64 {
    ///     assert!(x >= 0.0, "no root of {x}");
    ///     x.sqrt()
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(2).build()?;
    /// let mut last = None;
    /// let roots = pool.imap(root, [4.0, -1.0, 9.0]).on_progress(|progress| last = Some(*progress)).max_failures(1)?.0;
    /// assert_eq!(roots, [2.0, 3.0]);
    /// let last = last.unwrap();
    /// assert_eq!((last.settled, last.failed, last.total), (3, 1, Some(3)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_progress(mut self, callback: impl FnMut(&Progress) + Send + 'e) -> Self {
        self.listeners.add(callback);
        self
    }
}

impl fmt::Debug for Listeners<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listeners").field(&self.0.len()).finish()
    }
}
