//! The protocol between a pool and its workers, as models; what a model is, `sync/models/` explains.
//!
//! `handing.rs`: how tasks are given, begun, taken back, answered, and what becomes of them when a worker dies; `desk.rs` is what the parent and a
//! worker have. `sleeping.rs`: who sleeps and who wakes; `world.rs` is what there is, `threads.rs` and `passing.rs` are the parent,
//! `serving.rs` is the worker. `room.rs`: a worker whose ring of results is full.

mod desk;
mod handing;
mod handing_tests;
mod passing;
mod room;
mod room_tests;
mod serving;
mod sleeping;
mod sleeping_tests;
mod threads;
mod world;
