//! Loom's atomics, in place of `sys/atomic.rs`, with two additions.
//!
//! Loom takes a sequentially consistent access for an acquire or release only, and would complain of what cannot be; it does know the fence. So
//! there is one before each such load, which is between each such store and load of a thread. Loads of any other order are left as
//! they are. A fence also orders what was stored before in other ways, which the real load does not: that much is not looked at.
//!
//! To find out which two accesses may change places, loom remembers the last access of each atomic only. If a thread loads what another one has just
//! loaded, and then stores there, loom has forgotten the other's load, and never tries that after the store. (A model of a sequence lock
//! had one execution.) So each access here first stores into a second atomic, without any order: this makes any two accesses of two
//! threads something to try both ways round.

use std::sync::atomic::Ordering::{self, Relaxed, SeqCst};

use loom::sync::atomic::fence;

macro_rules! atomics {
    ($($atomic:ident $number:ident),*) => {$(
        #[derive(Debug, Default)]
        pub(crate) struct $atomic {
            number: loom::sync::atomic::$atomic,
            accesses: loom::sync::atomic::AtomicU32,
        }

        #[allow(dead_code, clippy::allow_attributes, reason = "what one of them has the other has")]
        impl $atomic {
            fn access(&self) -> &loom::sync::atomic::$atomic {
                self.accesses.store(0, Relaxed);
                &self.number
            }

            pub(crate) fn load(&self, order: Ordering) -> $number {
                if order == SeqCst {
                    fence(order);
                }
                self.access().load(order)
            }

            pub(crate) fn store(&self, number: $number, order: Ordering) {
                self.access().store(number, order);
            }

            pub(crate) fn swap(&self, number: $number, order: Ordering) -> $number {
                self.access().swap(number, order)
            }

            pub(crate) fn fetch_add(&self, number: $number, order: Ordering) -> $number {
                self.access().fetch_add(number, order)
            }

            pub(crate) fn fetch_sub(&self, number: $number, order: Ordering) -> $number {
                self.access().fetch_sub(number, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                expected: $number,
                new: $number,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$number, $number> {
                self.access().compare_exchange(expected, new, success, failure)
            }

            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                update: impl FnMut($number) -> Option<$number>,
            ) -> Result<$number, $number> {
                self.access().fetch_update(set, fetch, update)
            }
        }
    )*};
}

atomics!(AtomicU32 u32, AtomicU64 u64);
