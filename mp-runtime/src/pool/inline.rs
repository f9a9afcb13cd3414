//! No workers at all: the caller runs its tasks itself.

use std::{num::NonZeroUsize, sync::Arc, thread};

use super::{
    Executor, Rejected, Tasks, Work,
    front::typed_methods,
    here::{Ran, Runner},
    options::TaskOptions,
};

/// An [`Executor`] that runs each task in the thread that asks for it, before the call returns: for tests, for debuggers, and for programs to which
/// parallel work is an option.
///
/// Arguments and results are encoded and decoded as for any other, and a panic is a [`TaskError::Panicked`](crate::TaskError::Panicked). What else ends a process ends the caller. A
/// map runs an item when its result is asked for. Failed tasks are tried again as their [`Retry`](crate::Retry) says, after its back-off. A
/// [timeout](TaskOptions::timeout) is not looked at: nobody could stop the caller. It is never full and never closed.
///
/// # Examples
///
/// ```
/// use multiprocess as mp;
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// let here = mp::Inline::new();
/// assert_eq!(here.map(square, 1..4)?, [1, 4, 9]);
/// assert!(here.submit(square, (5,))?.is_ready());
/// # Ok::<(), mp::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inline {
    options: Arc<TaskOptions>,
}

impl Inline {
    /// One with nothing said of its tasks, but that a map takes one item at a time.
    #[must_use]
    pub fn new() -> Self {
        Self { options: Arc::new(TaskOptions::new().window(NonZeroUsize::MIN)) }
    }

    /// The same, with other options for the tasks that are given to it so.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn square(x: u64) -> u64 { x * x }
    /// let again = mp::TaskOptions::new().retry(mp::Retry::times(2).after_panics(true));
    /// assert_eq!(mp::Inline::new().with(again).call(square, (5,))?, 25);
    /// # Ok::<(), mp::TaskError>(())
    /// ```
    #[must_use]
    pub fn with(&self, options: TaskOptions) -> Tasks<'_, Self> {
        Tasks::on(self).with(options)
    }
}

typed_methods!(Inline);

impl Default for Inline {
    fn default() -> Self {
        Self::new()
    }
}

impl Executor for Inline {
    type State = ();

    fn execute(&self, mut work: Work) -> Result<(), Rejected> {
        let mut runner = Runner::default();
        while !work.is_empty() {
            match runner.run(&work) {
                Ran::Again(pause) => thread::sleep(pause),
                Ran::Done(result) => runner.settle(&mut work, result),
            }
        }
        Ok(())
    }

    fn width(&self) -> usize {
        1
    }

    fn options(&self) -> Arc<TaskOptions> {
        Arc::clone(&self.options)
    }
}
