//! The allocator, against its own rules.

use std::{collections::BTreeSet, sync::atomic::Ordering::Relaxed};

use super::{
    arena::Arena,
    block::Block,
    holders::{self, PROCESS, THE_DEAD},
    layout::class_of,
    shared::{Part, Shared, mutexes_of},
    transit::Transit,
};
use crate::{
    shm::layouts::{LockPart, SemaphorePart, kind_of},
    sys::{poll::Deadline, robust_mutex::Locked},
};

fn census(arena: &Arena) -> (usize, usize, u32) {
    super::census::census(arena).unwrap()
}

#[test]
fn blocks_do_not_overlap_and_are_used_again() {
    let arena = Arena::create().unwrap();
    let lengths: Vec<usize> = (0..2000).map(|i| (i * 37) % 5000).collect();
    for round in 0..3 {
        let blocks: Vec<_> = lengths.iter().map(|length| Block::new_in(&arena, 1, *length).unwrap()).collect();
        let mut ends = BTreeSet::new();
        let mut places: Vec<_> = blocks.iter().map(|block| (block.content().addr().get(), block.length())).collect();
        places.sort_unstable();
        for (start, length) in places {
            assert!(ends.last().is_none_or(|end| *end <= start), "round {round}");
            ends.insert(start + length);
        }
        assert_eq!(census(&arena), (2000, 2000, 1));
        drop(blocks);
        assert_eq!(census(&arena), (0, 0, 1));
    }
    let slabs = arena.header().unwrap().slabs.load(Relaxed);
    assert!(slabs < 2000, "the same memory, three times: {slabs} slabs");
}

#[test]
fn what_is_too_large_is_an_error() {
    let arena = Arena::create().unwrap();
    for length in [65_536, usize::MAX, usize::MAX - 15] {
        assert!(class_of(length).is_none());
        assert!(Block::new_in(&arena, 1, length).unwrap_err().is_invalid_input());
    }
    assert_eq!(census(&arena), (0, 0, 1));
}

#[test]
fn a_message_holds_what_it_carries() {
    let arena = Arena::create().unwrap();
    let block = Block::new_in(&arena, 1, 8).unwrap();
    let (transit, file) = Transit::new(&block).unwrap();
    let sent = transit.add(&block).unwrap();
    drop(block);
    assert_eq!(census(&arena), (1, 1, 2));
    let received = Block::adopt(&arena, sent.0, sent.1).unwrap();
    assert_eq!(census(&arena), (1, 1, 1));
    // It came once.
    assert!(Block::adopt(&arena, sent.0, sent.1).unwrap_err().is_protocol());
    drop((received, file));
}

#[test]
fn what_a_lost_message_carried_is_taken_back() {
    let arena = Arena::create().unwrap();
    for _ in 0..200 {
        let block = Block::new_in(&arena, 1, 8).unwrap();
        let (transit, file) = Transit::new(&block).unwrap();
        transit.add(&block).unwrap();
        drop(file);
    }
    let (blocks, _, holders) = census(&arena);
    assert!(blocks <= 65 && holders <= 65, "{blocks} blocks, {holders} holders");
    super::holders::sweep(&arena.lock().unwrap()).unwrap();
    assert_eq!(census(&arena), (0, 0, 1));
}

#[test]
fn repair_keeps_what_somebody_has_and_frees_the_rest() {
    let arena = Arena::create().unwrap();
    let mut blocks: Vec<_> = (0..3000).map(|i| Block::new_in(&arena, 1, i % 300).unwrap()).collect();
    let mut index = 0;
    blocks.retain(|_| {
        index += 1;
        index % 3 == 0
    });
    {
        let heap = arena.lock().unwrap();
        // Half of an allocation: a block without a record, a record without a block.
        heap.class(0).unwrap().free.store(0, Relaxed);
        heap.class(2).unwrap().free.store(77, Relaxed);
        arena.header().unwrap().holders.store(9, Relaxed);
        heap.repair().unwrap();
    }
    assert_eq!(census(&arena), (1000, 1000, 1));
    drop(blocks);
    assert_eq!(census(&arena), (0, 0, 1));
}

#[test]
fn damage_is_an_error() {
    let arena = Arena::create().unwrap();
    let block = Block::new_in(&arena, 1, 8).unwrap();
    for damage in [3, u32::MAX, 1 << 20, block.at()] {
        arena.lock().unwrap().class(0).unwrap().free.store(damage, Relaxed);
        assert!(Block::new_in(&arena, 1, 8).is_err(), "{damage}");
    }
    for (at, record) in [(0, 0), (u32::MAX, u32::MAX), (block.at(), 1), (block.at() + 1, block.at())] {
        assert!(Block::adopt(&arena, at, record).is_err());
    }
}

#[test]
fn no_lock_is_looked_for_behind_a_block() {
    let arena = Arena::create().unwrap();
    let block = Block::new_in(&arena, kind_of(LockPart::NAME), 48).unwrap();
    // As if another process had written there that it is a semaphore, which has two.
    assert_eq!(mutexes_of(block.content(), block.length(), kind_of(SemaphorePart::NAME)).count(), 1);
}

#[test]
fn a_block_with_a_lock_that_is_held_is_not_given_out_again() {
    let arena = Arena::create().unwrap();
    let lock = || Shared::<LockPart>::from_block(Block::new_in(&arena, kind_of(LockPart::NAME), 40).unwrap()).unwrap();
    let (held, free) = (lock(), lock());
    let (place_held, place_free) = (held.block().content(), free.block().content());
    assert_eq!(held.mutex.lock(Deadline::NEVER).unwrap(), Locked::Yes);
    // As if its guard had been forgotten.
    drop((held, free));
    let later: Vec<_> = (0..100).map(|_| lock()).collect();
    assert!(later.iter().any(|lock| lock.block().content() == place_free));
    assert!(later.iter().all(|lock| lock.block().content() != place_held));
}

#[test]
fn an_arena_full_of_the_dead_has_room() {
    let arena = Arena::create().unwrap();
    let block = Block::new_in(&arena, 1, 8).unwrap();
    {
        let heap = arena.lock().unwrap();
        for number in 0..THE_DEAD {
            heap.holder(number).unwrap().used.store(PROCESS, Relaxed);
        }
        arena.header().unwrap().holders.store(THE_DEAD, Relaxed);
        // After a time when more than half of the places were those of the living.
        holders::sweep_at(&heap, u32::MAX).unwrap();
    }
    let (transit, _file) = Transit::new(&block).unwrap();
    transit.add(&block).unwrap();
    assert_eq!(census(&arena), (1, 2, 2));
}
