//! The algorithms of this folder, as models: every interleaving of a few processes is tried, and every place where one can be killed.
//!
//! A model has the steps of the code, each access to shared memory and each system call one of its own, and what the kernel does for a process
//! that has died. [`search`](crate::models::search) goes through all states that can be reached, breadth first, so that what it complains about
//! is the shortest way there. Memory is sequentially consistent here; what the
//! processor may reorder is loom's part (`sync/loom.rs`).
//!
//! Each model also has *mutants*, the algorithm with one thing left out, and the tests want these to be found wrong: a model that finds nothing in
//! them would find nothing in the algorithm either. When an algorithm is changed, its model is changed with it.

mod barrier;
mod condition;
mod event;
mod glibc;
mod mutex;
mod semaphore;
mod value;
