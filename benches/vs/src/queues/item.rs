//! What goes through the queues: 64 bytes, different in every item, and large as numbers, so that no encoding makes them
//! smaller.

use std::{
    array,
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
    },
};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use crate::{Failure, connections::message::Message};

pub(crate) type Item = [u64; 8];

/// The most producers of one queue.
pub(crate) const PRODUCERS: u32 = 2;

/// Knuth's multiplicative hash of 64 bits, and what undoes it.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
const GATHER: u64 = 0xF1DE_83E1_9937_733D;
const _: () = assert!(SPREAD.wrapping_mul(GATHER) == 1);

/// One of a producer's items.
#[inline]
pub(crate) fn item(producer: u32, sequence: u32) -> Item {
    of_number(1 + u64::from(sequence) * u64::from(PRODUCERS) + u64::from(producer))
}

#[inline]
fn of_number(number: u64) -> Item {
    let mixed = number.wrapping_mul(SPREAD);
    array::from_fn(|index| mixed.rotate_left(8 * index as u32))
}

/// The number of an item that came as it was made, else nothing.
#[inline]
fn number_of(item: &Item) -> Option<u64> {
    let number = item[0].wrapping_mul(GATHER);
    // Not by `==`, which is a call of memcmp.
    let difference = item.iter().zip(of_number(number)).fold(0, |difference, (&one, other)| difference | (one ^ other));
    (number > 0 && difference == 0).then_some(number)
}

impl Message for Item {
    fn weight(&self) -> u64 {
        number_of(self).unwrap_or_default()
    }
}

/// What one consumer has seen in a turn. What is damaged or out of its producer's order does not count, so that the sum
/// is another one in the end.
#[derive(Default)]
pub(crate) struct Seen {
    sum: u64,
    last: [u64; PRODUCERS as usize],
}

impl Seen {
    #[inline]
    pub(crate) fn see(&mut self, item: &Item) {
        let Some(number) = number_of(item) else { return };
        let last = &mut self.last[(number % u64::from(PRODUCERS)) as usize];
        if number > *last {
            *last = number;
            self.sum = self.sum.wrapping_add(number);
        }
    }
}

/// What all consumers have seen in a turn.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tally(mp::RawValue<AtomicU64>);

impl Tally {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(mp::RawValue::new(0)?))
    }

    pub(crate) fn add(&self, seen: &Seen) {
        self.0.fetch_add(seen.sum, AcqRel);
    }

    /// So many items of so many producers, each once; the next turn begins with nothing.
    pub(crate) fn check(&self, producers: u32, count: u32) -> Result<(), Failure> {
        let (sum, expected) = (self.0.load(Acquire), sum_of(producers, count));
        self.0.fetch_sub(sum, AcqRel);
        if sum == expected { Ok(()) } else { Err(format!("the items' sum is {sum}, not {expected}").into()) }
    }
}

/// Of the numbers of all their items.
pub(crate) fn sum_of(producers: u32, count: u32) -> u64 {
    let (producers, count, most) = (u64::from(producers), u64::from(count), u64::from(PRODUCERS));
    let firsts = producers * (producers + 1) / 2;
    count * firsts + producers * most * (count * (count.max(1) - 1) / 2)
}
