//! What memory can be seen as that others write at any time.

use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    Ordering,
};

/// An atomic number that can lie in shared memory: `AtomicU8` to `AtomicU64`, `AtomicI8` to `AtomicI64`, `AtomicUsize` and
/// `AtomicIsize`. (Not `AtomicBool`: another process could leave a byte there that is no `bool`.)
///
/// # Safety
///
/// Any bytes are one, and it is aligned to at most eight.
pub unsafe trait Atomic: Sync + Send + 'static {
    /// The number itself.
    type Number: Copy;

    /// Gives it its first value.
    #[doc(hidden)]
    fn set(&self, number: Self::Number);
}

macro_rules! atomics {
    ($($atomic:ident $number:ident),*) => {
        $(
            // SAFETY: a number of that many bits, aligned to its size.
            unsafe impl Atomic for $atomic {
                type Number = $number;

                fn set(&self, number: $number) {
                    self.store(number, Ordering::Release);
                }
            }
        )*
    };
}

atomics!(AtomicU8 u8, AtomicU16 u16, AtomicU32 u32, AtomicU64 u64, AtomicUsize usize);
atomics!(AtomicI8 i8, AtomicI16 i16, AtomicI32 i32, AtomicI64 i64, AtomicIsize isize);
