//! What lies in the rings, and the words between them; and the end of the thread beside them.

use std::{
    hint,
    sync::{
        atomic::{
            AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    answers::Answers,
    entry::{Head, Kind, NAMED, look, read_part, write},
    mailbox::{GENERATIONS, LENGTH, MOST_VALUES, Mailbox, Number, Position, RING, State, Written},
    stderr::Listener,
};
use crate::{codec::lengths, shm::words::Words};

#[test]
fn entries_go_round_the_ring_in_one_piece() {
    let ring: Vec<_> = (0..RING).map(|_| AtomicU64::new(u64::MAX)).collect();
    let (mut write_at, mut read_at) = (Position::default(), Position::default());
    for round in 0_usize..10_000 {
        let bytes: Vec<u8> = (0..round % 1000).map(|byte| byte as u8).collect();
        let head = Head::tasks(bytes.len(), round as u32, NAMED, 3);
        write_at = write(&ring, write_at, head, &bytes[..bytes.len() / 3], &bytes[bytes.len() / 3..]).unwrap();
        let found = look(&ring, read_at).unwrap();
        assert_eq!(found.head, head);
        let mut read = b"before".to_vec();
        found.read(&ring, &mut read).unwrap();
        assert_eq!(read, [b"before", bytes.as_slice()].concat());
        let mut part = Vec::new();
        let start = bytes.len() / 2;
        read_part(&ring, found.at, start, bytes.len() - start, &mut part).unwrap();
        assert_eq!(part, bytes[start..]);
        read_at = found.next;
        assert_eq!(read_at, write_at);
    }
}

#[test]
fn nonsense_is_nothing() {
    let ring: Vec<_> = (0..RING).map(|_| AtomicU64::new(u64::MAX)).collect();
    assert!(look(&ring, Position::default()).is_none());
    ring[0].store(5, Relaxed);
    assert!(look(&ring, Position::default()).is_none());
    ring[0].store(0, Relaxed);
    ring[5].store(0, Relaxed);
    assert!(look(&ring, Position::of(5)).is_none());
}

#[test]
fn positions_go_round() {
    let near_the_end = Position::of((1 << 31) - 3);
    assert_eq!(near_the_end.plus(5).since(near_the_end), 5);
    assert_eq!(near_the_end.plus(5).index(), 2);
    assert_eq!(near_the_end.to_the_end(), 3);
    assert!(near_the_end.plus(5).has_reached(near_the_end));
    assert!(!near_the_end.has_reached(near_the_end.plus(5)));
}

#[test]
fn a_state_is_one_word() {
    for is_last in [false, true] {
        let (next, tail) = (Number::of((1 << 24) - 1), Number::of(5));
        let state = State { next, tail, generation: GENERATIONS, is_last };
        assert_eq!(State::of(state.word()), state);
        assert_eq!(state.next_generation(), 0);
    }
}

#[test]
fn what_is_written_is_one_word() {
    let written = Written { at: Position::of((1 << 31) - 1), count: MOST_VALUES, bytes: 17 };
    assert_eq!(Written::of(written.word()), written);
}

#[test]
fn values_come_out_as_they_went_in_and_nothing_else_is_written() {
    let mailbox = Mailbox(Words::create(LENGTH).unwrap().0);
    let (mut answers, mut read_at) = (Answers::default(), Position::default());
    let mut length = 0;
    for round in 0..200 {
        // What was read is the worker's again, and only that.
        mailbox.read().store(read_at.word(), Relaxed);
        let mut expected: Vec<Vec<u8>> = Vec::new();
        loop {
            length = (length * 31 + 7) % if round % 10 == 0 { 3000 } else { 45 };
            let value: Vec<u8> = (0..length).map(|place| (place * 7 + round + 1) as u8).collect();
            if answers.value(&mailbox, &value).is_none() {
                break;
            }
            expected.push(value);
        }
        let end = mailbox.written();
        let own = read_at.index();
        let mut read = Vec::new();
        while read_at != end.at {
            if mailbox.result_ring()[read_at.index()].load(Relaxed) == 0 {
                // The last entry lies at the beginning, and is not ended.
                read_at = read_at.plus(read_at.to_the_end());
                continue;
            }
            let found = look(mailbox.result_ring(), read_at).unwrap();
            assert_eq!(found.head.kind(), Some(Kind::Values));
            read.push(Vec::new());
            found.read(mailbox.result_ring(), read.last_mut().unwrap()).unwrap();
            read_at = found.next;
        }
        read.push(Vec::new());
        read_part(mailbox.result_ring(), end.at, 0, end.bytes as usize, read.last_mut().unwrap()).unwrap();
        let read = read.concat();
        let mut at = 0;
        for value in &expected {
            let (start, end) = lengths::first(&read[at..]).unwrap();
            assert_eq!(&read[at + start..at + end], value, "round {round}, from {own}");
            at += end;
        }
        assert_eq!(at, read.len());
        // The last entry is ended, as for a result of another kind, when there is room again.
        mailbox.read().store(end.at.word(), Relaxed);
        answers.other(&mailbox, Kind::Ready, &[]).unwrap();
        read_at = mailbox.written().at;
    }
}

/// The parent may read between the look for room and the sleep.
#[test]
fn nobody_waits_for_room_that_there_is() {
    let (words, _memfd) = Words::create(LENGTH).unwrap();
    let (mailbox, mut answers) = (Mailbox(words), Answers::default());
    while answers.value(&mailbox, &[7; 1000]).is_some() {}
    assert!(answers.is_unread(&mailbox));
    mailbox.read().store(mailbox.written().at.word(), SeqCst);
    assert!(!answers.is_unread(&mailbox));
    answers.value(&mailbox, &[7; 1000]).unwrap();
}

/// Whenever it is told to: also before it has looked for the first time.
#[test]
fn the_thread_that_passes_on_what_workers_say_ends() {
    let (sender, receiver) = mpsc::channel();
    let stops = thread::spawn(move || {
        for round in 0..20_000 {
            let listener = Listener::start().unwrap();
            // At another step of that thread each time.
            let (begun, pause) = (Instant::now(), Duration::from_micros(round % 100));
            while begun.elapsed() < pause {
                hint::spin_loop();
            }
            listener.stop();
        }
        sender.send(()).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("it does not end");
    stops.join().unwrap();
}
