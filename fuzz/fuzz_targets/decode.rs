//! Whatever comes off a control socket is a value or an error: no panic, no hang, no allocation beyond what came.
//!
//! `cargo install cargo-fuzz`, then `cargo fuzz run decode`; without a nightly toolchain
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none decode`. The corpus is kept.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (bool, &[u8], &[u8])| {
    let (with_memory, bytes, memory) = input;
    mp_runtime::__private::decode_anything(bytes, with_memory.then_some(memory));
});
