//! One buffer a thread, used again for every message that fits into it: an allocation and its fresh pages cost more
//! than the rest of a small message.

use std::cell::Cell;

use super::frame::MAX_FRAME;

/// A buffer that has grown beyond this is not kept.
const MOST: usize = 2 * MAX_FRAME;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer; while it is out, who asks gets a new one.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Keeps it for the next one who asks.
#[inline]
pub(crate) fn put_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= MOST {
        buffer.clear();
        // A thread that is ending keeps nothing.
        BUFFER.try_with(|place| place.set(buffer)).ok();
    }
}
