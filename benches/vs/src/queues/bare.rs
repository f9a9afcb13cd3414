//! The limit: a ring of plain slots in shared memory, for one who writes and one who reads, who both look again and again
//! and never sleep. Nobody may be killed, and no item be larger than its slot.

use std::{
    hint,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Release},
    },
    thread,
    time::Duration,
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{
    flow::Flow,
    item::{Item, Seen, Tally, item},
};
use crate::{
    Failure,
    locks::{Done, partner::Orders},
};

const SLOTS: u64 = 1024;
/// Numbers in a slot, and in the two cache lines that a processor fetches at once.
const SLOT: usize = 8;
const LINES: usize = 16;
/// How often one looks before others may have the core.
const LOOKS: u32 = 1000;

const WRITTEN: usize = 0;
const READ: usize = LINES;
const FIRST: usize = 2 * LINES;

/// How many items have been written, how many have been read, then the slots.
#[derive(Clone, Serialize, Deserialize)]
struct Ring(mp::RawArray<AtomicU64>);

pub(super) struct Bare {
    ring: Ring,
    flow: Flow,
    /// In how many steps the other one is told of items.
    step: u64,
}

impl Bare {
    /// The reader is told of so many items at once.
    pub(super) fn start(step: u64) -> Result<Self, Failure> {
        let ring = Ring(mp::RawArray::new(FIRST + SLOTS as usize * SLOT)?);
        let flow = Flow::new()?.with_consumer(follow, (ring.clone(), step))?;
        Ok(Self { ring, flow, step })
    }

    pub(super) fn time(&self, count: u32) -> Result<Duration, Failure> {
        self.flow.time(count, |count| {
            self.ring.write(count, self.step);
            Ok(())
        })
    }

    pub(super) fn end(self) -> Result<(), Failure> {
        self.flow.end()
    }
}

#[mp::process_target]
fn follow(orders: Orders, things: ((Ring, u64), Tally)) -> Done {
    let ((ring, step), tally) = things;
    orders.obey(|count| {
        tally.add(&ring.read(count, step));
        Ok(())
    })
}

impl Ring {
    fn write(&self, count: u32, step: u64) {
        let [written, read] = self.counts();
        let start = written.load(Acquire);
        let (end, mut room) = (start + u64::from(count), read.load(Acquire) + SLOTS);
        for number in start..end {
            if number == room {
                written.store(number, Release);
                room = wait_until(read, |read| read + SLOTS > number) + SLOTS;
            }
            // SAFETY: nobody else writes, and the reader is done with the slot.
            unsafe { self.slot(number).write(item(0, (number - start) as u32)) };
            if (number + 1) % step == 0 {
                written.store(number + 1, Release);
            }
        }
        written.store(end, Release);
    }

    fn read(&self, count: u32, step: u64) -> Seen {
        let [written, read] = self.counts();
        let start = read.load(Acquire);
        let (end, mut there, mut seen) = (start + u64::from(count), start, Seen::default());
        for number in start..end {
            if number == there {
                read.store(number, Release);
                there = wait_until(written, |written| written > number);
            }
            // SAFETY: it has been written, and is not written again before it has been read.
            seen.see(&unsafe { self.slot(number).read() });
            if (number + 1) % step == 0 {
                read.store(number + 1, Release);
            }
        }
        read.store(end, Release);
        seen
    }

    fn counts(&self) -> [&AtomicU64; 2] {
        [&self.0[WRITTEN], &self.0[READ]]
    }

    /// The atomics there are never used as such: they are memory that may change.
    fn slot(&self, number: u64) -> *mut Item {
        let first = &raw const self.0[FIRST + (number % SLOTS) as usize * SLOT];
        first.cast_mut().cast()
    }
}

fn wait_until(count: &AtomicU64, is_enough: impl Fn(u64) -> bool) -> u64 {
    loop {
        for _ in 0..LOOKS {
            let count = count.load(Acquire);
            if is_enough(count) {
                return count;
            }
            hint::spin_loop();
        }
        thread::yield_now();
    }
}
