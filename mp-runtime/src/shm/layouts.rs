//! What lies in shared memory for each kind of thing. All of it in one place, because the bytes are what two processes
//! agree on; what is done with them is in `sync/` and `values/`.

use super::arena::Part;
use crate::sys::{
    atomic::{AtomicU32, AtomicU64},
    robust_mutex::RobustMutex,
};

/// Each kind's name, and with how many mutexes it begins. Its number is its place here, from one.
pub(super) const KINDS: [(&str, usize); 8] = [
    ("lock", 1),
    ("semaphore", 2),
    ("condition", 0),
    ("event", 0),
    ("barrier", 1),
    ("value", 1),
    ("array", 1),
    ("raw memory", 0),
];

/// The number of the kind of that name.
pub(super) fn kind_of(name: &str) -> u32 {
    KINDS.iter().position(|(known, _)| *known == name).map_or(0, |place| place as u32 + 1)
}

macro_rules! parts {
    ($($(#[$doc:meta])* $part:ident, $name:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Debug)]
            #[cfg_attr(loom, derive(Default))]
            pub(crate) struct $part {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            // SAFETY: of atomics and mutexes only, the mutexes first and as many as `KINDS` says.
            unsafe impl Part for $part {
                const NAME: &'static str = $name;
            }
        )*
    };
}

parts! {
    /// `Lock` and `RLock`.
    LockPart, "lock" {
        mutex: RobustMutex,
    }

    /// `Semaphore` and `BoundedSemaphore`: `sync/semaphore.rs`.
    SemaphorePart, "semaphore" {
        /// Who changes the numbers holds this.
        mutex: RobustMutex,
        /// Who waits for a permit holds this; the others wait for it.
        turn: RobustMutex,
        permits: AtomicU32,
        /// The most that there may be; zero: no bound.
        bound: AtomicU32,
        /// Changes when there may be a permit.
        changes: AtomicU32,
        /// Whether anyone waits for `changes`.
        waits: AtomicU32,
        /// What is being changed: the address of a stake, and what it and `permits` are together, before and after; zero: nothing.
        journal: AtomicU64,
    }

    /// `Condition`: `sync/condition.rs`.
    ConditionPart, "condition" {
        /// Changes with every notification.
        changes: AtomicU32,
        /// How many wait; those who were killed there are still counted.
        waiting: AtomicU32,
        /// All who began to wait before `changes` was this are to return.
        called: AtomicU32,
        unused: AtomicU32,
    }

    /// `Event`: `sync/event.rs`.
    EventPart, "event" {
        /// Odd while it is set; changes with every `set` and `clear` that does something.
        state: AtomicU32,
        /// How many wait; those who were killed there are still counted.
        waiting: AtomicU32,
    }

    /// `Barrier`: `sync/barrier.rs`.
    BarrierPart, "barrier" {
        mutex: RobustMutex,
        parties: AtomicU32,
        /// How many have come.
        waiting: AtomicU32,
        /// Changes when all have come, or it breaks.
        generation: AtomicU32,
        state: AtomicU32,
        /// Nanoseconds; zero: none.
        timeout: AtomicU64,
        /// Why the last one broke that did.
        outcome: AtomicU32,
        /// The last generation that was broken, and one; zero: none was.
        broken: AtomicU32,
        /// Of the last 64 generations, a bit for each that all passed.
        passed: AtomicU64,
    }

    /// `Value`: `values/value.rs`. Behind it one place for the value, or two.
    ValuePart, "value" {
        mutex: RobustMutex,
        /// How often it was changed: an even number of times, and the first place counts, else the second.
        version: AtomicU64,
    }

    /// `Array`: `values/array.rs`. Behind it the elements.
    ArrayPart, "array" {
        mutex: RobustMutex,
    }

    /// `RawValue`, `RawArray`: `values/raw.rs`. Nothing but the elements behind it.
    RawPart, "raw memory" {
    }
}
