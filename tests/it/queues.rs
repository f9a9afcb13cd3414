//! Queues: what they do while nobody dies.

use std::{
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use multiprocess as mp;

use crate::support::{eventually, watchdog};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn is_ready(source: &impl AsFd) -> bool {
    !mp::wait(&[source], Some(Duration::ZERO)).unwrap().is_empty()
}

#[mp::process_target]
fn square_all(numbers: mp::QueueReceiver<u64>, squares: mp::QueueSender<u64>) -> mp::Result<()> {
    for number in &numbers {
        squares.put(&number?.pow(2))?;
    }
    Ok(())
}

#[test]
fn items_go_through_and_the_end_is_seen() {
    let _watchdog = watchdog();
    let (to, numbers) = mp::Queue::bounded(10).unwrap().split();
    let (squares, from) = mp::Queue::unbounded().unwrap().split();
    let children: Vec<_> = (0..3).map(|_| mp::spawn(square_all, (numbers.clone(), squares.clone())).unwrap()).collect();
    drop((numbers, squares));
    for number in 0..1000 {
        to.put(&number).unwrap();
    }
    drop(to);
    let mut all: Vec<u64> = from.iter().map(Result::unwrap).collect();
    all.sort_unstable();
    assert_eq!(all, (0..1000).map(|number| number * number).collect::<Vec<_>>());
    for child in children {
        child.join().unwrap().unwrap();
    }
    assert!(matches!(from.get(), Err(mp::RecvError::Disconnected)));
    assert!(matches!(from.try_get(), Err(mp::RecvError::Disconnected)));
}

#[test]
fn a_put_is_there_when_it_returns() {
    let queue = mp::Queue::unbounded().unwrap();
    for number in 0..1000 {
        assert!(queue.is_empty());
        queue.put(&number).unwrap();
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.try_get().unwrap(), number);
    }
    assert!(matches!(queue.try_get(), Err(mp::RecvError::TimedOut)));
}

#[test]
fn a_bound_holds_and_timeouts_do() {
    let _watchdog = watchdog();
    let queue = mp::Queue::bounded(2).unwrap();
    queue.try_put(&"a".to_owned()).unwrap();
    assert!(!queue.is_full());
    queue.try_put(&"b".to_owned()).unwrap();
    assert!(queue.is_full());
    assert!(matches!(queue.try_put(&"c".to_owned()), Err(mp::SendError::TimedOut)));
    let start = Instant::now();
    assert!(matches!(queue.put_timeout(&"c".to_owned(), SHORT), Err(mp::SendError::TimedOut)));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(queue.get().unwrap(), "a");
    queue.try_put(&"c".to_owned()).unwrap();
    assert_eq!(queue.drain().map(Result::unwrap).collect::<Vec<_>>(), ["b", "c"]);
    let start = Instant::now();
    assert!(matches!(queue.get_timeout(SHORT), Err(mp::RecvError::TimedOut)));
    assert!(start.elapsed() >= SHORT);
    assert!(mp::Queue::<u8>::bounded(0).unwrap_err().is_invalid_input());
}

#[test]
fn items_of_all_sizes_come_as_they_were() {
    let _watchdog = watchdog();
    let queue = mp::Queue::<Vec<u8>>::unbounded().unwrap();
    let sizes = [
        0,
        1,
        7,
        8,
        9,
        100,
        4095,
        32 << 10,
        (32 << 10) + 1,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (16 << 20) - 1,
        16 << 20,
        40 << 20,
    ];
    let item = |size: usize| (0..size).map(|index| (index * 7 + size) as u8).collect::<Vec<_>>();
    for _ in 0..2 {
        for size in sizes {
            queue.put(&item(size)).unwrap();
        }
        for size in sizes {
            assert!(queue.get().unwrap() == item(size), "{size}");
        }
    }
    // Many, so that segments change in every possible place.
    for size in 0..5000 {
        queue.put(&item(size)).unwrap();
        queue.put(&item(size / 2)).unwrap();
        assert_eq!(queue.get().unwrap(), item(size));
        assert_eq!(queue.get().unwrap(), item(size / 2));
    }
}

#[test]
fn many_at_a_time() {
    let _watchdog = watchdog();
    let queue = mp::Queue::bounded(1000).unwrap();
    let putter = {
        let queue = queue.clone();
        thread::spawn(move || queue.put_many(0..100_000_u32).unwrap())
    };
    let mut expected = 0;
    while expected < 100_000 {
        let batch = queue.get_many(300).unwrap();
        assert!((1..=300).contains(&batch.len()));
        for number in batch {
            assert_eq!(number.unwrap(), expected);
            expected += 1;
        }
    }
    putter.join().unwrap();
    assert!(queue.is_empty());
    assert_eq!(queue.get_many(0).unwrap().len(), 0);
}

#[mp::process_target]
fn put_one(queue: mp::QueueSender<u32>, go: mp::Event) -> mp::Result<()> {
    go.wait();
    Ok(queue.put(&1)?)
}

#[test]
fn who_waits_is_told_of_an_item_and_of_the_end() {
    let _watchdog = watchdog();
    let (to, from) = mp::Queue::bounded(1).unwrap().split();
    let go = mp::Event::new().unwrap();
    let child = mp::spawn(put_one, (to, go.clone())).unwrap();
    assert!(!is_ready(&from));
    go.set();
    assert_eq!(mp::wait(&[&from], Some(LONG)).unwrap(), [0]);
    assert_eq!(from.get().unwrap(), 1);
    assert!(matches!(from.get(), Err(mp::RecvError::Disconnected)));
    assert!(is_ready(&from));
    child.join().unwrap().unwrap();
}

#[test]
fn the_descriptor_tells_the_truth() {
    let _watchdog = watchdog();
    let queue = mp::Queue::bounded(2).unwrap();
    queue.put(&1).unwrap();
    let (to, from) = queue.split();
    for _ in 0..100 {
        assert!(is_ready(&from) && is_ready(&to));
        to.put(&2).unwrap();
        assert!(is_ready(&from) && !is_ready(&to));
        assert_eq!(from.get().unwrap(), 1);
        assert!(is_ready(&from) && is_ready(&to));
        assert_eq!(from.get().unwrap(), 2);
        assert!(!is_ready(&from) && is_ready(&to));
        to.put(&1).unwrap();
    }
    assert_eq!(from.get().unwrap(), 1);
    assert!(!is_ready(&from));
    drop(to);
    assert_eq!(mp::wait(&[&from], Some(LONG)).unwrap(), [0]);
}

#[test]
fn handles_travel_in_items() {
    let _watchdog = watchdog();
    let queue = mp::Queue::<(mp::Sender<u32>, mp::Lock, String)>::unbounded().unwrap();
    let (sender, receiver) = mp::channel().unwrap();
    let lock = mp::Lock::new().unwrap();
    for size in [1, 100_000] {
        queue.put(&(sender.clone(), lock.clone(), "x".repeat(size))).unwrap();
    }
    for size in [1, 100_000] {
        let (sender, other, text) = queue.get().unwrap();
        assert_eq!(text.len(), size);
        sender.send(&(size as u32)).unwrap();
        assert_eq!(receiver.recv().unwrap(), size as u32);
        let _guard = other.lock().unwrap();
        assert!(lock.try_lock().is_err());
    }
}

#[mp::process_target]
fn holds(from: mp::QueueReceiver<u32>, ready: mp::Event) {
    ready.set();
    let _from = from;
    super::support::wait_for_ever();
}

#[test]
fn putters_learn_that_nobody_gets_any_more() {
    let _watchdog = watchdog();
    let (to, from) = mp::Queue::bounded(1000).unwrap().split();
    to.put(&1).unwrap();
    drop(from);
    // Another test's child may have a copy of it, until it executes its program.
    eventually("a put to fail", || to.try_put(&2).is_err());
    assert!(matches!(to.try_put(&2), Err(mp::SendError::Disconnected)));
    assert!(matches!(to.put_many([3, 4]).unwrap_err().cause(), mp::SendError::Disconnected));

    let (to, from) = mp::Queue::bounded(1).unwrap().split();
    let ready = mp::Event::new().unwrap();
    let child = mp::spawn(holds, (from, ready.clone())).unwrap();
    to.put(&1).unwrap();
    ready.wait();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| to.put(&2));
        assert!(matches!(to.put_timeout(&3, SHORT), Err(mp::SendError::TimedOut)));
        child.kill().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(mp::SendError::Disconnected)));
    });
    child.join().unwrap_err();
}

#[test]
fn getters_learn_of_a_shutdown_and_of_the_last_putters_death() {
    let _watchdog = watchdog();
    let queue = mp::Queue::<u32>::unbounded().unwrap();
    thread::scope(|scope| {
        let getters: Vec<_> = (0..3).map(|_| scope.spawn(|| queue.get())).collect();
        assert!(matches!(queue.get_timeout(SHORT), Err(mp::RecvError::TimedOut)));
        queue.shutdown().unwrap();
        for getter in getters {
            assert!(matches!(getter.join().unwrap(), Err(mp::RecvError::Disconnected)));
        }
    });
    assert!(is_ready(&queue));
    assert!(matches!(queue.put(&1), Err(mp::SendError::Disconnected)));

    let (to, from) = mp::Queue::<u32>::unbounded().unwrap().split();
    let child = mp::spawn(put_one, (to, mp::Event::new().unwrap())).unwrap();
    thread::scope(|scope| {
        let getters: Vec<_> = (0..3).map(|_| scope.spawn(|| from.get())).collect();
        assert!(matches!(from.get_timeout(SHORT), Err(mp::RecvError::TimedOut)));
        child.kill().unwrap();
        for getter in getters {
            assert!(matches!(getter.join().unwrap(), Err(mp::RecvError::Disconnected)));
        }
    });
    child.join().unwrap_err();
}

/// The bytes of shared memory that this process has touched and that are there.
fn shared_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssShmem")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// In a process of its own, whose memory it counts.
#[mp::process_target]
fn bursts(item: usize, count: usize) -> (u64, u64) {
    let queue = mp::Queue::<Vec<u8>>::unbounded().unwrap();
    let bytes = vec![7; item];
    for _ in 0..count {
        queue.put(&bytes).unwrap();
    }
    let most = shared_memory();
    for _ in 0..count {
        assert_eq!(queue.get().unwrap(), bytes);
    }
    (most, shared_memory())
}

#[test]
fn memory_goes_back_to_the_system() {
    let _watchdog = watchdog();
    for (item, count) in [(1000, 200_000), (100_000, 2000), (3 << 20, 70)] {
        let (most, left) = mp::spawn(bursts, (item, count)).unwrap().join().unwrap();
        assert!(most > (item * count) as u64 * 9 / 10, "{item}: {most}");
        assert!(left < 8 << 20, "{item}: {left} bytes are left of {most}");
    }
}

#[test]
fn an_item_that_does_not_decode_is_an_error_and_the_next_one_comes() {
    #[derive(serde::Serialize)]
    struct Odd(u32);
    impl<'de> serde::Deserialize<'de> for Odd {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match u32::deserialize(deserializer)? {
                even if even % 2 == 0 => Err(serde::de::Error::custom("even")),
                odd => Ok(Self(odd)),
            }
        }
    }
    let queue = mp::Queue::unbounded().unwrap();
    for number in 0..6 {
        queue.put(&Odd(number)).unwrap();
    }
    assert!(matches!(queue.get(), Err(mp::RecvError::Undecodable(_))));
    assert_eq!(queue.get().unwrap().0, 1);
    let batch: Vec<_> = queue.get_many(10).unwrap().map(|item| item.ok().map(|Odd(number)| number)).collect();
    assert_eq!(batch, [None, Some(3), None, Some(5)]);

    struct Never;
    impl serde::Serialize for Never {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("never"))
        }
    }
    impl<'de> serde::Deserialize<'de> for Never {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    let queue = mp::Queue::<Option<Never>>::unbounded().unwrap();
    assert!(matches!(queue.put(&Some(Never)), Err(mp::SendError::Unencodable(_))));
    let error = queue.put_many([None, None, Some(Never), None]).unwrap_err();
    assert!(matches!(error.cause(), mp::SendError::Unencodable(_)));
    assert_eq!((error.put(), queue.len()), (2, 2));
}

/// They are put as they are drawn, though no number of bytes says that it is time to.
#[test]
fn items_of_no_size_are_put_in_time() {
    let _watchdog = watchdog();
    let queue = mp::Queue::<()>::bounded(10).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let drawn = std::iter::repeat_n((), 1_000_000).inspect(|()| assert!(queue.len() <= 10));
            assert!(matches!(queue.put_many(drawn).unwrap_err().cause(), mp::SendError::Disconnected));
        });
        let mut got = 0;
        while got < 100_000 {
            got += queue.get_many(1000).unwrap().len();
        }
        queue.shutdown().unwrap();
    });
}
