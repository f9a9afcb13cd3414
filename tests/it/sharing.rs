//! One end, many threads and processes, some of which are killed: nothing mixes, nothing tears, nobody hangs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use multiprocess::{self as mp, RecvError, SendError};
use serde::{Deserialize, Serialize};

use super::support::{Dice, Owned, increment, owned, soak, spin, watchdog};

/// A message that tells when it is not what was sent.
#[derive(Debug, Serialize, Deserialize)]
struct Checked {
    sender: u32,
    number: u64,
    content: Vec<u8>,
    sum: u64,
}

impl Checked {
    fn new(sender: u32, number: u64, length: usize) -> Self {
        let seed = u64::from(sender) << 32 ^ number;
        let content: Vec<_> = (0..length as u64).map(|at| (seed.wrapping_mul(31) ^ at.wrapping_mul(7)) as u8).collect();
        let sum = Self::sum(sender, number, &content);
        Self { sender, number, content, sum }
    }

    fn sum(sender: u32, number: u64, content: &[u8]) -> u64 {
        content.iter().fold(u64::from(sender) ^ number << 20, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte))
    }

    fn is_whole(&self) -> bool {
        self.sum == Self::sum(self.sender, self.number, &self.content)
    }
}

/// From 1 byte to 4 MiB, small ones more often.
fn length(number: u64) -> usize {
    1 << (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).trailing_zeros().min(22)
}

#[mp::process_target]
fn sends(sender: u32, count: u64, to: mp::Sender<Checked>) -> mp::Result<()> {
    (0..count).try_for_each(|number| Ok(to.send(&Checked::new(sender, number, length(number)))?))
}

/// What each sender's messages were, as one receiver has seen them.
#[mp::process_target]
fn receives(from: mp::Receiver<Checked>) -> mp::Result<BTreeMap<u32, Vec<u64>>> {
    let mut seen = BTreeMap::<_, Vec<_>>::new();
    for message in from {
        let message = message?;
        assert!(message.is_whole(), "a torn message");
        seen.entry(message.sender).or_default().push(message.number);
    }
    Ok(seen)
}

#[test]
fn many_processes_at_both_ends() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel()?;
    let receivers = [(); 3].map(|()| mp::spawn(receives, (receiver.clone(),)).unwrap());
    let senders = [0, 1, 2].map(|number| mp::spawn(sends, (number, 2_000, sender.clone())).unwrap());
    drop((sender, receiver));
    for sender in senders {
        sender.join()??;
    }
    let mut all = BTreeMap::<u32, Vec<u64>>::new();
    for receiver in receivers {
        for (sender, numbers) in receiver.join()?? {
            assert!(numbers.is_sorted(), "one sender's messages come in order");
            all.entry(sender).or_default().extend(numbers);
        }
    }
    for sender in 0..3 {
        let numbers = all.get_mut(&sender).unwrap();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..2_000), "each message once");
    }
    Ok(())
}

#[test]
fn many_threads_at_both_ends() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (sender, receiver) = mp::channel::<Checked>()?;
    let count = std::thread::scope(|scope| {
        let receivers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| receiver.iter().map(|message| assert!(message.unwrap().is_whole())).count()))
            .collect();
        for number in 0..4 {
            let sender = sender.clone();
            scope.spawn(move || (0..3_000).for_each(|n| sender.send(&Checked::new(number, n, 50)).unwrap()));
        }
        drop(sender);
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum::<usize>()
    });
    assert_eq!(count, 12_000);
    Ok(())
}

const LARGE: usize = 8 << 20;

#[mp::process_target]
fn sends_large_ones(to: mp::Sender<Vec<u8>>) -> mp::Result<()> {
    (0..=u8::MAX).cycle().try_for_each(|number| Ok(to.send(&vec![number; LARGE])?))
}

#[test]
fn a_writer_killed_in_a_large_message_leaves_nothing_half() -> mp::Result<()> {
    let _watchdog = watchdog();
    let mut received = 0;
    for round in 0..40 {
        let (sender, receiver) = mp::channel()?;
        let child = mp::spawn(sends_large_ones, (sender,))?;
        assert!(receiver.recv()? == vec![0; LARGE]);
        spin(Duration::from_micros(round * 1_237 % 20_000));
        child.kill()?;
        // Whole messages, then the end.
        for (message, number) in receiver.iter().zip(1..) {
            assert!(message? == vec![number; LARGE]);
            received += 1;
        }
        assert!(matches!(receiver.recv(), Err(RecvError::Disconnected)));
        assert!(matches!(child.join(), Err(mp::JoinError::Killed(_))));
    }
    assert!(received > 0);
    Ok(())
}

#[mp::process_target]
fn receives_nothing(from: mp::Receiver<Checked>, ready: mp::Sender<()>) {
    ready.send(&()).unwrap();
    let _from = from;
    super::support::wait_for_ever();
}

#[test]
fn a_writer_that_waits_hears_of_its_readers_death() -> mp::Result<()> {
    let _watchdog = watchdog();
    for length in [10, 60_000, 1 << 20] {
        let (sender, receiver) = mp::channel::<Checked>()?;
        let (ready, is_ready) = mp::channel()?;
        let child = mp::spawn(receives_nothing, (receiver, ready))?;
        is_ready.recv()?;
        let blocked = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let message = Checked::new(0, 0, length);
                while sender.try_send(&message).is_ok() {}
                blocked.store(true, Ordering::Release);
                loop {
                    if let Err(error) = sender.send(&message) {
                        return error;
                    }
                }
            });
            while !blocked.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            assert!(matches!(writer.join().unwrap(), SendError::Disconnected));
        });
        child.join().unwrap_err();
    }
    Ok(())
}

#[mp::process_target]
fn sends_until_killed(sender: u32, to: mp::Sender<Checked>) {
    for number in 0.. {
        let message = Checked::new(sender, number, length(number));
        match to.send_timeout(&message, Duration::from_secs(60)) {
            Ok(()) => {}
            Err(SendError::Disconnected) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[mp::process_target]
fn receives_until_killed(from: mp::Receiver<Checked>, torn: mp::Sender<String>) {
    loop {
        match from.recv_timeout(Duration::from_secs(60)) {
            Ok(message) if message.is_whole() => {}
            Err(RecvError::Disconnected) => return,
            other => drop(torn.send(&format!("{:?}", other.map(|message| message.number)))),
        }
    }
}

#[mp::process_target]
fn in_the_middle_of_kills(seconds: u64) -> (Owned, Owned, u32) {
    mp::spawn(increment, (1,)).unwrap().join().unwrap(); // makes what a parent keeps
    let before = owned();
    let (sender, receiver) = mp::channel().unwrap();
    let (torn, is_torn) = mp::channel::<String>().unwrap();
    let start_sender = |number| mp::spawn(sends_until_killed, (number, sender.clone())).unwrap();
    let start_receiver = || mp::spawn(receives_until_killed, (receiver.clone(), torn.clone())).unwrap();
    let mut senders: Vec<_> = (0..3).map(start_sender).collect();
    let mut receivers: Vec<_> = (0..3).map(|_| start_receiver()).collect();
    let (start, mut kills) = (Instant::now(), 0);
    let mut dice = Dice::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        let chance = dice.roll();
        spin(Duration::from_micros(chance % 3_000));
        let (of, index) = (chance >> 20 & 1, (chance >> 24) as usize % 3);
        let all = if of == 0 { &mut senders } else { &mut receivers };
        all[index].kill().unwrap();
        let error = all[index].join().unwrap_err();
        assert!(matches!(error, mp::JoinError::Killed(_)), "{error}");
        all[index] = if of == 0 { start_sender(100 + kills) } else { start_receiver() };
        kills += 1;
    }
    // Those that are left end by themselves when the other ends are gone.
    drop(receiver);
    for child in receivers {
        child.kill().unwrap();
        child.join().unwrap_err();
    }
    drop(sender);
    for child in senders {
        child.join().unwrap();
    }
    drop(torn);
    assert_eq!(is_torn.iter().map(Result::unwrap).collect::<Vec<_>>(), Vec::<String>::new());
    drop(is_torn);
    (before, owned(), kills)
}

#[test]
fn random_kills_at_both_ends() -> mp::Result<()> {
    let seconds = soak().as_secs();
    let _watchdog = if seconds < 60 { Some(watchdog()) } else { None };
    let (before, after, kills) = mp::spawn(in_the_middle_of_kills, (seconds,))?.join()?;
    assert!(kills > 10, "{kills}");
    assert_eq!(before, after);
    Ok(())
}
