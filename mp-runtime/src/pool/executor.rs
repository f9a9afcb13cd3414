//! The seam between what is to be done and who does it.

use std::{collections::VecDeque, fmt, sync::Arc};

use super::{Work, options::TaskOptions};
use crate::error::Error;

/// Whatever runs tasks: the processes of a [`Pool`](crate::Pool), the threads of a [`ThreadPool`](crate::ThreadPool), the caller itself
/// ([`Inline`](crate::Inline)), or, in another crate, other machines.
///
/// An executor is given [`Work`]: the name of a target, encoded arguments, options. It brings them to where the target is known, has it run
/// there ([`perform`](crate::perform)), and settles each item. All typed methods are those of [`Tasks`](crate::Tasks), which need no more than that.
///
/// # Examples
///
/// One that does everything by itself, in the thread of whoever asks, and counts:
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// use multiprocess as mp;
///
/// #[derive(Default)]
/// struct Counting(AtomicUsize);
///
/// impl mp::Executor for Counting {
///     type State = ();
///
///     fn execute(&self, mut work: mp::Work) -> Result<(), mp::Rejected> {
///         while !work.is_empty() {
///             self.0.fetch_add(1, Ordering::Relaxed);
///             // What would go over the network: a name and bytes, and bytes or an error back.
///             let result = match work.arguments() {
///                 Ok(arguments) => mp::perform(work.target(), arguments),
///                 Err(error) => Err(mp::TaskError::Refused(work.facts(), error)),
///             };
///             work.settle(result);
///         }
///         Ok(())
///     }
///
///     fn width(&self) -> usize {
///         1
///     }
/// }
///
/// #[mp::process_target]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # fn main() -> mp::Result<()> {
/// let executor = Counting::default();
/// assert_eq!(mp::Tasks::on(&executor).map(square, 1..4)?, [1, 4, 9]);
/// assert_eq!(executor.0.into_inner(), 3);
/// # Ok(())
/// # }
/// ```
pub trait Executor: Send + Sync {
    /// What its workers keep between tasks; `()` for nothing.
    type State: 'static;

    /// Takes over some work. It need not be done when this returns.
    ///
    /// # Errors
    ///
    /// It is not taken over: see [`Rejected`].
    fn execute(&self, work: Work) -> Result<(), Rejected>;

    /// The same, waiting for room where there is a limit of what may be pending.
    ///
    /// # Errors
    ///
    /// [`Rejected::Closed`]. By default also that there is no room.
    fn execute_when_there_is_room(&self, work: Work) -> Result<(), Rejected> {
        self.execute(work)
    }

    /// The same with several of them, in their order; they may have more items than the [chunk size](TaskOptions::chunk_size). By default
    /// one after the other, in pieces of that.
    ///
    /// # Errors
    ///
    /// One was not taken over; it and those that are left in `works` are not.
    fn execute_many(&self, works: &mut VecDeque<Work>) -> Result<(), Rejected> {
        while let Some(mut work) = works.pop_front() {
            if let Some(most) = work.options().chunk_size {
                let first = work.split_off(most.get());
                if !work.is_empty() {
                    works.push_front(work);
                }
                self.execute_when_there_is_room(first)?;
            } else {
                self.execute_when_there_is_room(work)?;
            }
        }
        Ok(())
    }

    /// How many tasks it runs at a time.
    fn width(&self) -> usize;

    /// The options of tasks for which the caller gives none.
    fn options(&self) -> Arc<TaskOptions> {
        Arc::default()
    }
}

/// Makes an executor of what has one.
macro_rules! executor_by {
    ([$($generics:tt)*] $type:ty, $state:ty, $this:ident => $executor:expr) => {
        impl<$($generics)*> crate::Executor for $type {
            type State = $state;

            fn execute(&self, work: crate::Work) -> Result<(), crate::Rejected> {
                let $this = self;
                $executor.execute(work)
            }

            fn execute_when_there_is_room(&self, work: crate::Work) -> Result<(), crate::Rejected> {
                let $this = self;
                $executor.execute_when_there_is_room(work)
            }

            fn execute_many(
                &self,
                works: &mut std::collections::VecDeque<crate::Work>,
            ) -> Result<(), crate::Rejected> {
                let $this = self;
                $executor.execute_many(works)
            }

            fn width(&self) -> usize {
                let $this = self;
                $executor.width()
            }

            fn options(&self) -> std::sync::Arc<crate::TaskOptions> {
                let $this = self;
                $executor.options()
            }
        }
    };
}

pub(super) use executor_by;

executor_by! { [E: Executor + ?Sized] &E, E::State, this => **this }
executor_by! { [E: Executor + ?Sized] Arc<E>, E::State, this => **this }

/// Why an executor did not take over some work.
///
/// # Examples
///
/// ```
/// # use multiprocess as mp;
/// # #[mp::process_target] fn nothing() {}
/// # fn main() -> mp::Result<()> {
/// let pool = mp::Pool::builder().workers(1).build()?;
/// pool.close();
/// assert!(pool.submit(nothing, ()).unwrap_err().to_string().contains("closed"));
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub enum Rejected {
    /// There is no room for more that is pending. Nothing has happened to the work.
    Full(Work),
    /// It takes no more work, for this reason.
    Closed(Work, Error),
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("as much is pending as may be"),
            Self::Closed(_, error) => error.fmt(f),
        }
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Full(_) => Self::full(),
            Rejected::Closed(_, error) => error,
        }
    }
}
