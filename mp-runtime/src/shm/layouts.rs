//! What lies in shared memory for each kind of thing. All of it in one place, because the bytes are what two processes
//! agree on; what is done with them is in `sync/` and `values/`.

use super::arena::Part;
use crate::sys::{
    atomic::{AtomicU32, AtomicU64},
    robust_mutex::RobustMutex,
};

/// How far the mutexes of most kinds are from one another.
const CLOSE: usize = size_of::<RobustMutex>();
/// Where different processors are at work, two cache lines lie between them: they are fetched in pairs.
const APART: usize = 128;

/// Each kind's name, how many mutexes it has, and how far from one another; the first is at its beginning. Its number is its place
/// here, from one.
pub(super) const KINDS: [(&str, usize, usize); 9] = [
    ("lock", 1, CLOSE),
    ("semaphore", 2, CLOSE),
    ("condition", 0, CLOSE),
    ("event", 0, CLOSE),
    ("barrier", 1, CLOSE),
    ("value", 1, CLOSE),
    ("array", 1, CLOSE),
    ("raw memory", 0, CLOSE),
    ("queue", 5, APART),
];

/// The number of the kind of that name.
pub(super) fn kind_of(name: &str) -> u32 {
    KINDS.iter().position(|(known, ..)| *known == name).map_or(0, |place| place as u32 + 1)
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

            // SAFETY: of atomics and mutexes only, the mutexes where `KINDS` says.
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

    /// A queue: `ipc/queue/`.
    QueuePart, "queue" {
        /// What those change who put.
        puts: QueueSide,
        /// What those change who get.
        gets: QueueSide,
        /// Who waits for an item holds this; the others wait for it.
        get_turn: QueueTurn,
        /// Who waits for room holds this; the others wait for it.
        put_turn: QueueTurn,
        space: QueueSpace,
        put_front: QueueFront,
        get_front: QueueFront,
        /// The most items; zero: no bound.
        bound: AtomicU32,
        /// The most segments.
        most_segments: AtomicU32,
        /// Not zero: nothing can be put any more.
        is_shut: AtomicU32,
        /// Not zero: somebody has died who had segments that are in no list.
        is_leaky: AtomicU32,
        /// Not zero: somebody who puts waits for the descriptor in a way of his own.
        is_room_watched: AtomicU32,
        /// The same of somebody who gets.
        are_items_watched: AtomicU32,
        /// How often a process has closed a side.
        leavings: AtomicU32,
        unused: AtomicU32,
        /// Not zero: who gets an item holds it until it is done.
        is_joinable: AtomicU32,
        /// How many items were taken out and are not done.
        out: AtomicU32,
        /// How many of them nobody has any more.
        returned: AtomicU32,
        /// Changes when all that were put are done.
        joins: AtomicU32,
    }
}

macro_rules! pieces {
    ($($(#[$doc:meta])* $piece:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Debug)]
            #[cfg_attr(loom, derive(Default))]
            pub(crate) struct $piece {
                $($(#[$field_doc])* pub(crate) $field: $type,)*
            }

            #[cfg(not(loom))]
            const _: () = assert!(size_of::<$piece>() == APART && align_of::<$piece>() == 8);
        )*
    };
}

pieces! {
    /// One side of a queue, as far as only this side looks at it.
    QueueSide {
        mutex: RobustMutex,
        /// The other side's place, as it was when this side last looked.
        seen: AtomicU64,
        /// How many items have had descriptors.
        tickets: AtomicU64,
        /// How the next change is told: `bell.rs`.
        hammer: AtomicU32,
        unused: [AtomicU32; 17],
    }

    /// One side of a queue, as far as the other one looks at it, too.
    QueueFront {
        /// Where the next item goes, or comes from: `place.rs`.
        place: AtomicU64,
        /// Zero: somebody of the other side may be asleep on this word.
        awake: AtomicU32,
        unused: [AtomicU32; 29],
    }

    /// Has a cache line to itself.
    QueueTurn {
        mutex: RobustMutex,
        unused: [AtomicU32; 22],
    }

    /// Which segments are free: `space.rs`.
    QueueSpace {
        mutex: RobustMutex,
        /// The first free segment with memory, and one; zero: none.
        warm: AtomicU32,
        /// How many of those there are.
        warm_count: AtomicU32,
        /// The first free segment without memory, and one; zero: none.
        cold: AtomicU32,
        /// All from this one on were never used.
        fresh: AtomicU32,
        /// With so many in use it is looked whether some are those of the dead.
        sweep_at: AtomicU32,
        unused: [AtomicU32; 17],
    }
}
