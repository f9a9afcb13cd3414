//! What is to happen when items of a map fail.

use super::{Executor, Imap};
use crate::{error::TaskError, process::WorkerTarget};

impl<E, F, I> Imap<'_, E, F, I>
where
    E: Executor + ?Sized,
    F: WorkerTarget<E::State>,
    I: Iterator<Item = F::Args>,
{
    /// Waits for all, and returns all values. What [`map`](crate::Tasks::map) does.
    ///
    /// # Errors
    ///
    /// The first error in the order of delivery, after all are settled.
    pub fn after_all(mut self) -> Result<Vec<F::Output>, TaskError> {
        let (mut values, mut first) = (Vec::with_capacity(self.least()), None);
        self.each(|result| match result {
            Ok(value) if first.is_none() => values.push(value),
            Ok(_) => {}
            Err(error) => {
                first.get_or_insert(error);
            }
        });
        first.map_or(Ok(values), Err)
    }

    /// Returns all values, or the first error as soon as there is one; the rest is cancelled then, and its running tasks are stopped.
    ///
    /// # Errors
    ///
    /// The first error that there is.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// #[mp::process_target]
    /// fn check(n: u32) -> u32 {
    ///     assert_ne!(n, 3, "three is no good");
    ///     n
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(2).build()?;
    /// let error = pool.imap(check, 0..).fail_fast().unwrap_err(); // an endless input
    /// assert_eq!(error.facts().index(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fail_fast(mut self) -> Result<Vec<F::Output>, TaskError> {
        let mut values = Vec::with_capacity(self.least());
        for result in self.by_ref() {
            match result {
                Ok(value) => values.push(value),
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }

    /// Returns the first value that there is, and cancels the rest. `None` where there were no items.
    ///
    /// # Errors
    ///
    /// The last error, if all have failed.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// #[mp::process_target]
    /// fn fetch(mirror: String) -> String {
    ///     assert!(mirror.starts_with("good"), "{mirror} does not answer");
    ///     format!("from {mirror}")
    /// }
    ///
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(2).build()?;
    /// let mirrors = ["bad-1", "bad-2", "good-1"].map(str::to_owned);
    /// assert_eq!(pool.imap_unordered(fetch, mirrors).first_success()?.as_deref(), Some("from good-1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn first_success(mut self) -> Result<Option<F::Output>, TaskError> {
        let mut last = None;
        for result in self.by_ref() {
            match result {
                Ok(value) => return Ok(Some(value)),
                Err(error) => last = Some(error),
            }
        }
        last.map_or(Ok(None), Err)
    }

    /// Returns the values and the errors, as long as these are not more than `most`.
    ///
    /// # Errors
    ///
    /// The error that was one too many; the rest is cancelled.
    ///
    /// ```
    /// # use multiprocess as mp;
    /// # #[mp::process_target] fn odd(n: u32) -> u32 { assert_eq!(n % 2, 1); n }
    /// # fn main() -> mp::Result<()> {
    /// let pool = mp::Pool::builder().workers(2).build()?;
    /// let (values, errors) = pool.imap(odd, 0..5).max_failures(3)?;
    /// assert_eq!((values, errors.len()), (vec![1, 3], 3));
    /// assert_eq!(pool.imap(odd, 0..5).max_failures(1).unwrap_err().facts().index(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_failures(mut self, most: usize) -> Result<(Vec<F::Output>, Vec<TaskError>), TaskError> {
        let (mut values, mut errors) = (Vec::with_capacity(self.least()), Vec::new());
        for result in self.by_ref() {
            match result {
                Ok(value) => values.push(value),
                Err(error) if errors.len() < most => errors.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((values, errors))
    }
}
