//! Whatever is on the socket of a connection is a value or an error, and the next message can be received: no panic,
//! no hang, no allocation beyond what came.
//!
//! `cargo fuzz run receive`; see `decode.rs` for how.

#![no_main]

use mp_runtime::__private::{Packet, receive_anything};

libfuzzer_sys::fuzz_target!(|input: Vec<(&[u8], Option<&[u8]>, u8)>| {
    let packets = input.iter().map(|(bytes, memory, sockets)| Packet { bytes, memory: *memory, sockets: sockets % 4 });
    receive_anything(&packets.collect::<Vec<_>>()).ok();
});
