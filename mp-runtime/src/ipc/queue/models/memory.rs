//! What there is in the model of the segments: the shared memory of a queue, as far as it says what lies where.

use crate::models::kernel::{Life, Lock, MOST};

pub(super) const PUTS: usize = 0;
pub(super) const GETS: usize = 1;
pub(super) const SPACE: usize = 2;

/// The most segments, and how many words each of them has: one for an item, one for a link.
pub(super) const SEGMENTS: usize = 5;
pub(super) const WORDS: u8 = 2;
pub(super) const ITEMS: usize = 6;

/// A segment's number and one, or none.
pub(super) type Link = u8;

/// Some segments, in an order: an octal digit for each, the first one lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct List(u32);

impl List {
    pub(super) fn of(segments: impl DoubleEndedIterator<Item = u8>) -> Self {
        Self(segments.rev().fold(0, |list, segment| list << 3 | u32::from(segment + 1)))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn first(self) -> u8 {
        (self.0 as u8 & 7).wrapping_sub(1)
    }

    pub(super) fn pop(&mut self) -> u8 {
        let first = self.first();
        self.0 >>= 3;
        first
    }

    pub(super) fn reversed(mut self) -> Self {
        let mut list = 0;
        while !self.is_empty() {
            list = list << 3 | u32::from(self.pop() + 1);
        }
        Self(list)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    #[default]
    Link,
    Owned(u8),
    Queued,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub(super) kind: Kind,
    pub(super) next: Link,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Word {
    #[default]
    Nothing,
    /// An item, which lies here or from that segment on.
    Item {
        id: u8,
        far: Link,
    },
    Next(u8),
    /// In a chain: a piece of that item.
    Data(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) segment: u8,
    pub(super) word: u8,
    pub(super) number: u8,
}

/// What the space's lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    /// A segment for a chain, or for the ring.
    Chain,
    Ring,
    /// To give back a chain, or the ring's segment that is left.
    Free,
    Left,
    Mend,
}

/// Why segments are given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Back {
    Free,
    Left,
    Mend,
    /// There are not enough for a chain.
    Scarce,
    Sweep(Goal),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum At {
    #[default]
    Begin,
    Side,
    Space(Goal),
    Leak(Goal),
    LeakMark(Goal),
    Take(Goal),
    PopNote(Goal),
    Chained,
    AllocateStake,
    AllocateOwn,
    SpaceUnlock(Goal),
    Fill,
    Place,
    Link,
    Write,
    Queue,
    Commit,
    Disown,
    Unlock,
    Look,
    Stake,
    Own,
    CommitGet,
    Read,
    BackNote(Back),
    BackList(Back),
    SweepFind(Goal),
    SweepStake(Goal),
    SweepNext(Goal),
    MendPuts,
    MendGets,
    MendLook,
    MendWalk,
    MendDisown,
    MendClear,
    MendLeaky,
    MendMark(usize),
}

/// What a process has in its own memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Own {
    pub(super) place: Place,
    /// The chain that it is busy with.
    pub(super) first: Link,
    /// The segment that it has taken, or that is left.
    pub(super) segment: Link,
    /// Those that it gives back, or fills, or reads, in their order.
    pub(super) todo: List,
    pub(super) id: u8,
    /// Whose chains it sweeps.
    pub(super) whose: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) locks: [Lock; 3],
    pub(super) is_leaky: bool,
    pub(super) notes: [Note; SEGMENTS],
    pub(super) words: [[Word; WORDS as usize]; SEGMENTS],
    pub(super) free: Link,
    pub(super) fresh: u8,
    pub(super) sweep_at: u8,
    pub(super) places: [Place; 2],
    pub(super) stakes: [u8; MOST],
    pub(super) kills: u8,
    pub(super) lives: [Life; MOST],
    pub(super) at: [At; MOST],
    pub(super) calls: [u8; MOST],
    pub(super) own: [Own; MOST],
    /// Not in the code: the items in their order.
    pub(super) items: [u8; ITEMS],
    pub(super) wrong: Option<&'static str>,
}

pub(super) const CORRUPT: &str = "an item's bytes are not those that were put";
pub(super) const DAMAGED: &str = "the memory is found damaged";
pub(super) const TWICE: &str = "a segment is used twice";
pub(super) const LOST: &str = "a segment is lost";

impl State {
    pub(super) fn is_dead(&self, process: u8) -> bool {
        self.lives[usize::from(process)] == Life::Dead
    }

    /// All segments of a chain. If it is a ring, it ends somewhere.
    pub(super) fn chain(&self, first: Link) -> Vec<u8> {
        let (mut found, mut next) = (Vec::new(), first);
        while let Some(segment) = next.checked_sub(1).filter(|segment| !found.contains(segment)) {
            found.push(segment);
            next = self.notes[usize::from(segment)].next;
        }
        found
    }

    /// The same, as a list.
    pub(super) fn list(&self, first: Link) -> List {
        List::of(self.chain(first).into_iter())
    }

    fn mask(&self, first: Link) -> u8 {
        self.chain(first).into_iter().fold(0, |mask, segment| mask | 1 << segment)
    }

    /// From item to item: the segments of the ring, and the first of each chain. None: it is damaged.
    pub(super) fn walk(&self) -> Option<(u8, Vec<Link>)> {
        let [end, mut place] = self.places;
        let (mut ring, mut chains) = (1 << place.segment, Vec::new());
        while place != end {
            match self.words[usize::from(place.segment)].get(usize::from(place.word))? {
                Word::Item { far, .. } => {
                    chains.extend((*far > 0).then_some(*far));
                    place = Place { word: place.word + 1, number: place.number + 1, ..place };
                }
                Word::Next(segment) if ring & 1 << segment == 0 => {
                    ring |= 1 << segment;
                    place = Place { segment: *segment, word: 0, ..place };
                }
                _ => return None,
            }
        }
        Some((ring, chains))
    }

    /// What is in the ring, in the queue's chains and in the chains of those who `count`.
    pub(super) fn used(&self, counts: impl Fn(u8) -> bool) -> Result<u8, &'static str> {
        let (mut used, chains) = self.walk().ok_or(DAMAGED)?;
        let mut add = |more: u8| {
            let twice = used & more != 0;
            used |= more;
            if twice { Err(TWICE) } else { Ok(used) }
        };
        for first in &chains {
            add(self.mask(*first))?;
        }
        for segment in 0..self.fresh {
            let first = segment + 1;
            if matches!(self.notes[usize::from(segment)].kind, Kind::Owned(owner) if counts(owner))
                && !chains.contains(&first)
            {
                add(self.mask(first))?;
            }
        }
        Ok(used)
    }

    /// If nobody is at it and nothing is to be put in order: whether each segment is in one place.
    pub(super) fn segment_wrong(&self) -> Option<&'static str> {
        let quiet = self.locks.iter().all(|lock| lock.is_free() && !lock.is_orphaned()) && !self.is_leaky;
        if !quiet {
            return None;
        }
        // Those of the dead are found by their stakes.
        let counts = |owner: u8| !self.is_dead(owner) || self.stakes[usize::from(owner)] > 0;
        let free = self.mask(self.free);
        match self.used(counts) {
            Err(wrong) => Some(wrong),
            Ok(used) if used & free != 0 => Some(TWICE),
            Ok(used) => (used | free != (1 << self.fresh) - 1).then_some(LOST),
        }
    }
}
