//! The protocols of a queue, as models; what a model is, `sync/models/` explains.
//!
//! `waiting.rs`: how items come and go, and how those learn of it who wait, with `world.rs`, what there is, and `attempts.rs`, an attempt
//! and the bell. Segments and chains are left out there, and everything else in `segments.rs`, with `memory.rs`, what lies where, and
//! `transfers.rs`, a put, a get and a repair.

mod attempts;
mod memory;
mod segments;
mod segments_tests;
mod transfers;
mod waiting;
mod waiting_tests;
mod world;
