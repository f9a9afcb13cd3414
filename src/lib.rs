//! Run annotated functions in child processes with the ease of a thread: typed arguments in, a typed result out.
//!
//! ```
//! use multiprocess as mp;
//!
//! #[mp::process_target]
//! fn collatz(mut n: u64) -> u32 {
//!     let mut steps = 0;
//!     while n != 1 {
//!         n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
//!         steps += 1;
//!     }
//!     steps
//! }
//!
//! fn main() -> mp::Result<()> {
//!     let child = mp::Process::new(collatz, (27,)).name("steps").start()?;
//!     println!("{} runs as pid {}", child.name(), child.pid());
//!     assert_eq!(child.join()?, 111); // a u32: checked at compile time
//!     assert_eq!(collatz(27), 111); // still an ordinary function
//!     Ok(())
//! }
//! ```
//!
//! There is no init call and no special `main`: a child is the same program, started again, and taken over before its
//! `main`. It works as well in `#[test]`s, doctests, examples and benches.
//!
//! # When a process is the right thing
//!
//! A thread is lighter. A process can be *stopped* (a thread cannot), can crash, leak, exit or run out of memory
//! without taking the program along, gives its memory back, and holds no lock of yours. What it costs, the
//! [architecture](_docs::architecture) page says.
//!
//! # The paved path
//!
//! | | |
//! |---|---|
//! | make a function a target | [`#[process_target]`](macro@process_target) |
//! | start it | [`spawn`], or [`Process::new`] and a [`Builder`]'s options, then [`start`](Builder::start) |
//! | get its result, or how it ended | [`Process::join`], [`join_timeout`](Process::join_timeout), [`JoinError`] |
//! | stop it | [`terminate`](Process::terminate), [`kill`](Process::kill), [`kill_on_drop`](Builder::kill_on_drop) |
//! | start many, fast; have something there before they start | [`Context`], [`Context::preload`] |
//! | many tasks for a few processes | [`Pool`], [`Task`] |
//! | named arguments | [`Job`], [`Process::job`] |
//! | messages between processes | [`channel`], [`pipe`] |
//! | many items, many producers and consumers | [`Queue`], [`JoinableQueue`] |
//! | files, sockets and ends as values | [`Handle`], [`Sender`], [`Receiver`], [`Connection`] |
//! | wait for whatever comes first | [`wait`](fn@wait), [`Selector`] |
//! | one at a time; a number that all change | [`Lock`], [`Value`] |
//! | large data without a copy | [`SharedSlice`], [`SharedArray::split`] |
//!
//! # By area
//!
//! - This process and its relatives: [`current_process`], [`parent_process`], [`active_children`], [`cpu_count`].
//! - How processes start: [`Context`], [`StartMethod`], [`all_start_methods`]; what is there before: [`PreloadTarget`], [`preloaded`].
//! - Its end: [`at_exit`], [`Builder::daemon`], [`OnParentDeath`].
//! - What an ended child leaves: [`ExitStatus`], [`ResourceUsage`], [`Ended`], [`Panic`].
//! - Pools: [`Pool`], [`PoolBuilder`], [`Task`], [`Imap`], [`Tasks`]; how tasks are run: [`TaskOptions`], [`Retry`]; why one has no result: [`TaskError`],
//!   [`TaskFacts`]; what a pool has done: [`PoolStats`], [`WorkerStats`], [`LongTask`], [`Progress`]. Whoever runs tasks: [`Executor`], [`Work`], [`TargetName`],
//!   [`Rejected`]; what it may run: [`WorkerTarget`], [`StateTarget`].
//! - Why a message did not go or come: [`SendError`], [`RecvError`].
//! - Queues: [`Queue`] and its halves [`QueueSender`], [`QueueReceiver`]; [`JoinableQueue`], whose items are [`Taken`]; [`SimpleQueue`];
//!   [`Batch`], [`Drain`], [`PutManyError`].
//! - Locks: [`Lock`], [`RLock`], [`Semaphore`], [`BoundedSemaphore`], [`Condition`], [`Event`], [`Barrier`]; what they say:
//!   [`LockError`], [`RobustGuard`], [`BrokenBarrier`].
//! - Data that all change: [`Value`], [`Array`] under a lock, [`RawValue`], [`RawArray`] as atomics; [`Number`], [`Atomic`].
//! - Large data: [`SharedSlice`], [`SharedSliceMut`], [`SlicePool`] and its [`LentSlice`], [`SharedArray`] and its [`SharedWindow`].
//! - Shared memory by name, also for CPython: [`SharedMemory`], [`ShareableList`], [`ListItem`], [`SharedMemoryManager`];
//!   [`Ownership`], [`cleanup`].
//! - Async programs: feature `tokio`, with `multiprocess::tokio` and `Process::join_async`.
//! - The program that a child runs: [`set_executable`], [`Builder::executable`].
//!
//! # Promises
//!
//! 1. Nothing hangs because a process died: [`Process::join`] returns, whatever happened to the child, a stream
//!    ends when its senders have, a queue stays whole, and a dead holder's lock goes to the next one, who is told.
//! 2. Nothing is seen half: arguments, results and messages arrive whole or not at all, a [`Value`] changes wholly or not at all,
//!    and timeouts hold for all of it.
//! 3. Errors come back to whoever asked: encoding errors from `start`, panics with message, place and backtrace from `join`.
//! 4. Nothing is left behind: no orphan, zombie, named object, temporary file or descriptor, after a normal end and after `kill -9`
//!    of any process of the tree. (Only the name of a [`SharedMemory`] whose owner was killed waits for the next owner, or [`cleanup`].)
//! 5. Code is never run that was not asked for: no fork of your threads, no `main` in children, no descriptor inherited by accident.
//! 6. Bad input is an error: no panic, no abort, no unbounded allocation.
//! 7. None of this needs `unsafe` code of yours.
//!
//! # Longer texts
//!
//! [Start methods](_docs::start_methods), [connections](_docs::connections), [queues](_docs::queues), [pools](_docs::pools), [locks and shared values](_docs::locks), [shared memory](_docs::shared_memory), [architecture](_docs::architecture), [gotchas](_docs::gotchas), [Python's `multiprocessing`, name by name](_docs::python),
//! and the [design questions](_docs::design) that were decided.

pub use mp_macros::process_target;

#[doc(inline)]
pub use mp_runtime::{Builder, Handle, Job, JoinError, Process, spawn};

#[doc(inline)]
pub use mp_runtime::{Context, PreloadTarget, StartMethod, all_start_methods, preloaded};

#[doc(inline)]
pub use mp_runtime::{
    CurrentProcess, ParentProcess, Untyped, active_children, cpu_count, current_process, parent_process,
};

#[doc(inline)]
pub use mp_runtime::{
    Connection, IntoIter, Iter, Key, Receiver, RecvError, Selector, SendError, Sender, channel, pipe, wait,
};

#[doc(inline)]
pub use mp_runtime::{
    AnyGuard, Barrier, BoundedSemaphore, BrokenBarrier, Condition, Event, Lock, LockError, LockGuard, RLock,
    RLockGuard, RobustGuard, Semaphore, SemaphoreGuard,
};

#[doc(inline)]
pub use mp_runtime::{
    Batch, Drain, JoinableIter, JoinableQueue, PutManyError, Queue, QueueIntoIter, QueueIter, QueueReceiver,
    QueueSender, SimpleQueue, Taken,
};

#[doc(inline)]
pub use mp_runtime::{
    AsCompleted, Executor, Fault, Faulty, Imap, Inline, LongTask, MapTask, Pool, PoolBuilder, PoolStats, Progress,
    Rejected, Retry, Singly, StateTarget, TargetName, Task, TaskError, TaskFacts, TaskOptions, Tasks, ThreadPool,
    ThreadPoolBuilder, TrySubmitError, Work, WorkerStats, WorkerTarget, as_completed, perform, perform_with, wait_all,
    wait_any,
};

#[doc(inline)]
pub use mp_runtime::{Array, ArrayGuard, Atomic, Number, RawArray, RawValue, Value};
pub use mp_runtime::{ListItem, Ownership, ShareableList, SharedMemory, SharedMemoryManager, cleanup};

#[doc(inline)]
pub use mp_runtime::{
    KeptMappings, LentSlice, PooledSliceMut, Rejoin, Rejoined, SharedArray, SharedSlice, SharedSliceMut, SharedWindow,
    SlicePool, SplitError,
};

#[doc(inline)]
pub use mp_runtime::{Ended, Error, ExitStatus, Panic, ResourceUsage, Result};

#[doc(inline)]
pub use mp_runtime::{AuthKey, Never, OnParentDeath, Stdio, Target, TargetId, at_exit, set_executable};

#[cfg(feature = "tokio")]
#[doc(inline)]
pub use mp_runtime::tokio;

#[doc(hidden)]
pub use mp_runtime::__private;

/// The pages of `docs/`, compiled with everything else so that their examples stay true.
pub mod _docs {
    #[doc = include_str!("../docs/start-methods.md")]
    pub mod start_methods {}

    #[doc = include_str!("../docs/connections.md")]
    pub mod connections {}

    #[doc = include_str!("../docs/queues.md")]
    pub mod queues {}

    #[doc = include_str!("../docs/pools.md")]
    pub mod pools {}

    #[doc = include_str!("../docs/locks.md")]
    pub mod locks {}

    #[doc = include_str!("../docs/shared-memory.md")]
    pub mod shared_memory {}

    #[doc = include_str!("../docs/architecture.md")]
    pub mod architecture {}

    #[doc = include_str!("../docs/gotchas.md")]
    pub mod gotchas {}

    #[doc = include_str!("../docs/python.md")]
    pub mod python {}

    #[doc = include_str!("../docs/design.md")]
    pub mod design {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
