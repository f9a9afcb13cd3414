//! What is refused, when written as when read, so that a hostile message can do no harm.

/// Values nested deeper than this are refused, when encoded as when decoded: a hostile message must not
/// be able to use up the stack.
pub(super) const MAX_DEPTH: u32 = 256;

/// A sequence of more elements than bytes holds elements that take no bytes, such as `()`. There may be
/// this many in a message: hostile counts must not keep the reader busy for ever.
pub(super) const MAX_EMPTY_ELEMENTS: usize = 1 << 16;
