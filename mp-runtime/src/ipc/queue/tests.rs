//! A queue against the standard library's, and with memory that somebody has scribbled on.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use proptest::{collection::vec, prelude::*};

use super::{JoinableQueue, Queue, census::queue_census, core::Core, space::Note};
use crate::error::{RecvError, SendError};

type Item = Vec<u8>;

#[derive(Clone, Debug)]
enum Step {
    Put(usize),
    PutMany(Vec<usize>),
    Get,
    GetMany(usize),
    Drain,
}

/// Mostly small, sometimes as large as makes a difference.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 0..200_usize, 2 => 2000..9000_usize, 1 => 32_000..34_000_usize, 1 => 60_000..200_000_usize]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => size().prop_map(Step::Put),
        2 => vec(size(), 0..6).prop_map(Step::PutMany),
        6 => Just(Step::Get),
        2 => (0..9_usize).prop_map(Step::GetMany),
        1 => Just(Step::Drain),
    ]
}

fn item(number: usize, size: usize) -> Item {
    (0..size).map(|index| (index * 31 + number) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_deque_does(bound in prop_oneof![Just(0_usize), 1..9_usize], steps in vec(step(), 1..120)) {
        let queue = if bound == 0 { Queue::unbounded() } else { Queue::bounded(bound) }.unwrap();
        let (mut model, mut number) = (VecDeque::<Item>::new(), 0);
        let has_room = |model: &VecDeque<Item>, more: usize| bound == 0 || model.len() + more <= bound;
        for step in steps {
            match step {
                Step::Put(size) => {
                    let put = queue.try_put(&item(number, size));
                    prop_assert_eq!(put.is_ok(), has_room(&model, 1));
                    match put {
                        Ok(()) => model.push_back(item(number, size)),
                        Err(error) => prop_assert!(matches!(error, SendError::TimedOut), "{}", error),
                    }
                    number += 1;
                }
                // More than there is room for would wait.
                Step::PutMany(sizes) if has_room(&model, sizes.len()) => {
                    let items: Vec<_> = sizes.into_iter().map(|size| item(number, size)).collect();
                    queue.put_many(&items).unwrap();
                    model.extend(items);
                    number += 1;
                }
                Step::PutMany(_) => {}
                Step::Get => match queue.try_get() {
                    Ok(got) => prop_assert_eq!(Some(got), model.pop_front()),
                    Err(error) => prop_assert!(matches!(error, RecvError::TimedOut) && model.is_empty(), "{}", error),
                },
                Step::GetMany(most) if !model.is_empty() => {
                    let batch = queue.get_many(most).unwrap();
                    prop_assert!(batch.len() <= most && (batch.len() > 0 || most == 0));
                    for got in batch {
                        prop_assert_eq!(Some(got.unwrap()), model.pop_front());
                    }
                }
                Step::GetMany(_) => {}
                Step::Drain => {
                    let drained: Vec<_> = queue.drain().map(Result::unwrap).collect();
                    prop_assert_eq!(drained, Vec::from(std::mem::take(&mut model)));
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert_eq!(queue.is_full(), !has_room(&model, 1));
        }
        while queue.try_get().is_ok() {}
        let (all, free) = queue_census(&queue).unwrap();
        prop_assert_eq!(free, all - 1);
    }

    /// Whatever stands there, a call returns, with an item or an error.
    #[test]
    fn memory_that_was_scribbled_on_is_an_error(
        before in vec(size(), 0..20),
        scribbles in vec((0..7_u8, any::<u32>(), prop_oneof![any::<u64>(), 0..70_u64, any::<u64>().prop_map(|word| word | 0x87 << 56)]), 1..12),
        is_joinable in any::<bool>(),
    ) {
        let queue = Queue::<Item>::create(0, is_joinable).unwrap();
        for (number, size) in before.iter().enumerate() {
            queue.put(&item(number, *size)).unwrap();
        }
        for (what, place, word) in scribbles {
            scribble(queue.core(), what, place, word);
        }
        for number in 0..5 {
            queue.try_put(&item(number, 100)).ok();
            queue.try_put(&item(number, 100_000)).ok();
            if is_joinable {
                queue.getting_end().try_hold().ok();
            } else {
                queue.try_get().ok();
            }
            queue.core().take_from_the_dead().ok();
        }
        queue.core().repair().ok();
        let _any = queue.len();
    }
}

fn scribble(core: &Core, what: u8, place: u32, word: u64) {
    let part = core.part();
    match what {
        0 => part.put_front.place.store(word, Relaxed),
        1 => part.get_front.place.store(word, Relaxed),
        2 => core.words(place % 8).unwrap()[place as usize / 8 % 8192].store(word, Relaxed),
        3 => core.words(0).unwrap()[place as usize % 64].store(word, Relaxed),
        4 => core.segments().note(place % 16).unwrap().store(word, Relaxed),
        5 => {
            part.space.warm.store(word as u32, Relaxed);
            part.space.fresh.store(place, Relaxed);
        }
        _ => {
            part.puts.seen.store(word, Relaxed);
            part.gets.seen.store(word, Relaxed);
            part.returned.store(place, Relaxed);
            part.is_leaky.store(1, Relaxed);
        }
    }
}

#[test]
fn notes_say_what_they_were_told() {
    for next in [None, Some(0), Some(1), Some((1 << 20) - 1)] {
        for owner in [0, 1, u32::MAX] {
            let notes = [
                Note::Link { next },
                Note::Owned { owner, next },
                Note::Queued { next },
                Note::Held { owner, next },
                Note::Returned { next },
            ];
            for note in notes {
                assert_eq!(Note::unpack(note.pack()), note);
            }
        }
    }
}

/// Numbers of items go round after 2³⁰ of them.
#[test]
fn numbers_go_round() {
    let queue = Queue::bounded(5).unwrap();
    for front in [&queue.core().part().put_front, &queue.core().part().get_front] {
        front.place.fetch_add((1 << 30) - 3, Relaxed);
    }
    for number in 0..20_u32 {
        queue.put(&number).unwrap();
        queue.put(&(number + 100)).unwrap();
        assert_eq!((queue.len(), queue.is_full()), (2, false));
        assert_eq!((queue.get().unwrap(), queue.get().unwrap()), (number, number + 100));
    }
    queue.put_many(0..5).unwrap();
    assert!(queue.is_full());
}

#[test]
fn an_item_that_is_out_is_counted_once() {
    let queue = JoinableQueue::<Item>::unbounded().unwrap();
    queue.put(&item(1, 10)).unwrap();
    let taken = queue.get().unwrap();
    queue.queue().core().part().is_leaky.store(1, Relaxed);
    drop(queue.try_get());
    assert_eq!((queue.unfinished(), *taken == item(1, 10)), (1, true));
    drop(taken);
    assert_eq!(queue.unfinished(), 0);
}
