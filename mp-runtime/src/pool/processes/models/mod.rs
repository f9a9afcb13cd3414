//! The protocol between a pool and its workers, as models; what a model is, `sync/models/` explains.
//!
//! `handing.rs`: how tasks are given, begun, taken back, answered, and what becomes of them when a worker dies; `desk.rs` is what the parent and a
//! worker have.

mod desk;
mod handing;
mod handing_tests;
