//! The runtime of [`multiprocess`](https://docs.rs/multiprocess): everything that runs. Use it through that crate.

#[cfg(not(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64")))]
compile_error!("multiprocess runs on 64-bit Linux with glibc only");

mod codec;
mod error;
mod event;
mod fault;
mod ipc;
mod memory;
#[cfg(test)]
mod models;
mod pool;
mod process;
mod shm;
mod sync;
mod sys;
mod values;

pub use codec::Handle;
pub use error::{
    BrokenBarrier, Ended, Error, ExitStatus, JoinError, LockError, Panic, RecvError, Result, RobustGuard, SendError,
    TaskError, TaskFacts,
};
pub use ipc::{
    Batch, Drain, JoinableIter, JoinableQueue, PutManyError, Queue, QueueIntoIter, QueueIter, QueueReceiver,
    QueueSender, SimpleQueue, Taken,
};
pub use ipc::{Connection, IntoIter, Iter, Key, Receiver, Selector, Sender, channel, pipe, wait};
pub use memory::{
    KeptMappings, LentSlice, PooledSliceMut, Rejoin, Rejoined, SharedArray, SharedSlice, SharedSliceMut, SharedWindow,
    SlicePool, SplitError,
};
pub use memory::{ListItem, Ownership, ShareableList, SharedMemory, SharedMemoryManager, cleanup};
pub use pool::{
    AsCompleted, Executor, Fault, Faulty, Imap, Inline, LongTask, MapTask, Pool, PoolBuilder, PoolStats, Progress,
    Rejected, Retry, Singly, TargetName, Task, TaskOptions, Tasks, ThreadPool, ThreadPoolBuilder, TrySubmitError, Work,
    WorkerStats, as_completed, perform, perform_with, wait_all, wait_any,
};
pub use process::{
    AuthKey, Builder, Context, CurrentProcess, Job, Never, OnParentDeath, ParentProcess, PreloadTarget, Process,
    ResourceUsage, StartMethod, StateTarget, Stdio, Target, TargetId, Untyped, WorkerTarget, active_children,
    all_start_methods, at_exit, cpu_count, current_process, parent_process, preloaded, set_executable, spawn,
};
pub use shm::Atomic;
pub use sync::{
    AnyGuard, Barrier, BoundedSemaphore, Condition, Event, Lock, LockGuard, RLock, RLockGuard, Semaphore,
    SemaphoreGuard,
};
pub use values::{Array, ArrayGuard, Number, RawArray, RawValue, Value};

/// Feature `tokio`: the same ends for async programs.
///
/// A blocking end becomes an async one by [`into_async`](crate::Receiver::into_async); the other side does not notice. A
/// [`Process`]'s result is awaited by [`join_async`](Process::join_async). Any runtime of tokio will do, with `enable_io`.
#[cfg(feature = "tokio")]
pub mod tokio {
    pub use crate::ipc::asynchronous::{Connection, QueueReceiver, QueueSender, Receiver, Sender};
}

/// What generated code and the project's own tests see. Not for anyone else: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use inventory;

    pub use crate::{Job, Never, PreloadTarget, StateTarget, Target, TargetId, WorkerTarget};
    pub use crate::{
        codec::Decoder,
        fault::Step,
        ipc::Message,
        process::{Argument, Arguments, Entry, JobTarget, Output, Ran},
    };
    #[cfg(any(test, feature = "faults"))]
    pub use crate::{
        codec::decode_anything,
        ipc::{Counted, Packet, queue_census, receive_anything},
        shm::shared_census,
    };
}
