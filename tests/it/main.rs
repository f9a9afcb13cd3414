//! One behaviour suite: what `multiprocess` promises, tried from outside.
//!
//! A test that counts descriptors, threads or children does so inside a child of its own, because the
//! harness runs other tests in this process at the same time.

#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod arena;
mod basics;
mod contexts;
mod control;
mod crash;
mod description;
mod ends;
mod executors;
mod executors_own;
mod exit;
mod forked;
mod forkserver_deaths;
mod forkserver_rough;
mod handles;
mod joinable_queues;
mod leaks;
mod lock_kills;
mod lock_steps;
mod locks;
mod lost_windows;
mod messages;
mod named;
mod orphans;
mod pipe;
mod pool;
mod pool_ends;
mod pool_faults;
mod pool_inputs;
mod pool_kills;
mod pool_limits;
mod pool_starts;
mod pool_steps;
mod pool_stops;
mod pool_workers;
mod pools;
mod preload;
mod progress;
mod python_memory;
mod queue_kills;
mod queue_steps;
mod queues;
mod rough;
mod shareable_list;
mod shared_values;
mod sharing;
mod slices;
mod strangers;
mod support;
mod threads;
mod tree;
mod uncommon;
mod values;
mod waiting;
mod windows;
