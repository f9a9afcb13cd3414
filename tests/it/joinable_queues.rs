//! Queues that know what is done, and take back what is not.

use std::{panic, thread, time::Duration};

use multiprocess as mp;

use super::support::{wait_for_ever, watchdog};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn join_waits_until_all_is_done() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.join().unwrap();
    queue.put_many(0..10).unwrap();
    assert_eq!((queue.len(), queue.unfinished()), (10, 10));
    assert!(!queue.join_timeout(SHORT).unwrap());
    let last = queue.get().unwrap();
    assert_eq!((*last, last.deliveries(), queue.len(), queue.unfinished()), (0, 1, 9, 10));
    for number in 1..10 {
        assert_eq!(queue.get().unwrap().task_done().unwrap(), number);
    }
    assert_eq!((queue.is_empty(), queue.unfinished()), (true, 1));
    assert!(!queue.join_timeout(SHORT).unwrap());
    thread::scope(|scope| {
        let joiner = scope.spawn(|| queue.join_timeout(LONG).unwrap());
        drop(last);
        assert!(joiner.join().unwrap());
    });
    assert_eq!(queue.unfinished(), 0);
}

#[test]
fn what_is_given_back_comes_first_and_is_counted() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put_many(1..=3).unwrap();
    queue.get().unwrap().give_back().unwrap();
    let again = queue.get().unwrap();
    assert_eq!((*again, again.deliveries()), (1, 2));
    drop(again);
    // One who waits is told.
    queue.get().unwrap().task_done().unwrap();
    let third = queue.get().unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| *queue.get_timeout(LONG).unwrap());
        assert!(matches!(queue.get_timeout(SHORT), Err(mp::RecvError::TimedOut)));
        third.give_back().unwrap();
        assert_eq!(waiter.join().unwrap(), 3);
    });
    queue.join().unwrap();
}

#[test]
fn a_panic_gives_the_item_back() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put(&"poison".to_owned()).unwrap();
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let _item = queue.get().unwrap();
        panic::resume_unwind(Box::new("while it has the item"));
    }));
    caught.unwrap_err();
    let item = queue.get().unwrap();
    assert_eq!((item.as_str(), item.deliveries()), ("poison", 2));
}

#[mp::process_target]
fn takes_and_sleeps(queue: mp::JoinableQueue<String>, taken: mp::Event) {
    let _item = queue.get().unwrap();
    taken.set();
    wait_for_ever();
}

#[test]
fn an_item_of_the_dead_comes_to_one_who_waits() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    for text in ["small", &"large".repeat(50_000)] {
        let taken = mp::Event::new().unwrap();
        let child = mp::spawn(takes_and_sleeps, (queue.clone(), taken.clone())).unwrap();
        queue.put(&text.to_owned()).unwrap();
        taken.wait();
        assert!(queue.is_empty());
        thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.get_timeout(LONG).unwrap());
            assert!(!queue.join_timeout(SHORT).unwrap());
            child.kill().unwrap();
            let item = waiter.join().unwrap();
            assert_eq!((item.as_str(), item.deliveries()), (text, 2));
        });
        assert!(queue.join_timeout(LONG).unwrap());
        child.join().unwrap_err();
    }
}

/// As long as an item is out it may come back: who gets is not told that all is over.
#[test]
fn the_end_comes_when_nothing_is_out_any_more() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put(&1).unwrap();
    let item = queue.get().unwrap();
    queue.shutdown().unwrap();
    assert!(matches!(queue.put(&2), Err(mp::SendError::Disconnected)));
    assert!(matches!(queue.try_get(), Err(mp::RecvError::TimedOut)));
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..2).map(|_| scope.spawn(|| queue.get().map(drop))).collect();
        assert!(matches!(queue.get_timeout(SHORT), Err(mp::RecvError::TimedOut)));
        drop(item);
        for waiter in waiters {
            assert!(matches!(waiter.join().unwrap(), Err(mp::RecvError::Disconnected)));
        }
    });
    assert_eq!(queue.iter().count(), 0);
}

#[test]
fn an_item_that_does_not_decode_is_done() {
    #[derive(Debug, serde::Serialize)]
    struct Odd(u32);
    impl<'de> serde::Deserialize<'de> for Odd {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("never"))
        }
    }
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put(&Odd(1)).unwrap();
    assert!(matches!(queue.get(), Err(mp::RecvError::Undecodable(_))));
    assert!(queue.join_timeout(LONG).unwrap());
}

type Job = (u32, mp::Sender<u32>);

/// Also handles of shared memory, which know who has them.
#[test]
fn locks_and_queues_come_back_with_their_items() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::<(mp::Lock, mp::Value<u64>, mp::Queue<u32>)>::unbounded().unwrap();
    let (lock, value, inner) =
        (mp::Lock::new().unwrap(), mp::Value::new(1_u64).unwrap(), mp::Queue::unbounded().unwrap());
    queue.put(&(lock.clone(), value.clone(), inner.clone())).unwrap();
    for time in 1..=5 {
        let item = queue.get().unwrap();
        assert_eq!(item.deliveries(), time);
        let guard = item.0.lock().unwrap();
        assert!(lock.try_lock().is_err());
        drop(guard);
        item.1.fetch_add(1).unwrap();
        item.2.put(&time).unwrap();
        item.give_back().unwrap();
    }
    drop(queue.get().unwrap());
    assert_eq!((value.get(), inner.len()), (6, 5));
    assert!(queue.join_timeout(LONG).unwrap());
}

/// More items with handles are out than their socket holds at a time.
#[test]
fn many_items_with_handles_are_out() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::<Job>::unbounded().unwrap();
    let (sender, answers) = mp::channel().unwrap();
    let count = |from: u32, to: u32| {
        (from..to).take_while(|number| queue.try_put(&(*number, sender.clone())).is_ok()).count() as u32
    };
    let fitted = count(0, 1000);
    assert!((100..1000).contains(&fitted), "{fitted}");
    let mut taken: Vec<_> = (0..fitted).map(|_| queue.get().unwrap()).collect();
    // There is room again as soon as those are done that were taken first.
    assert_eq!(count(0, 10), 0);
    taken.pop().unwrap().give_back().unwrap();
    taken.push(queue.get().unwrap());
    taken.drain(..20);
    assert!(count(fitted, fitted + 20) >= 15);
    while let Ok(job) = queue.try_get() {
        taken.push(job);
    }
    drop(sender);
    for job in taken {
        job.1.send(&job.0).unwrap();
    }
    assert!(queue.join_timeout(LONG).unwrap());
    assert!(answers.iter().count() >= fitted as usize - 5);
}

#[mp::process_target]
fn takes_a_job_and_sleeps(queue: mp::JoinableQueue<Job>, taken: mp::Event) {
    let _job = queue.get().unwrap();
    taken.set();
    wait_for_ever();
}

/// The way back in a job is as good for the second worker as for the first; and nothing of it is left when all are done.
#[test]
fn handles_come_back_with_their_items() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::<Job>::unbounded().unwrap();
    let (sender, answers) = mp::channel().unwrap();
    for number in 0..20 {
        queue.put(&(number, sender.clone())).unwrap();
    }
    drop(sender);
    let children: Vec<_> = (0..3)
        .map(|_| {
            let taken = mp::Event::new().unwrap();
            let child = mp::spawn(takes_a_job_and_sleeps, (queue.clone(), taken.clone())).unwrap();
            taken.wait();
            child
        })
        .collect();
    let mine: Vec<_> = (0..5).map(|_| queue.get().unwrap()).collect();
    for child in &children {
        child.kill().unwrap();
        child.join().unwrap_err();
    }
    let mut expected: Vec<u32> = (0..20).collect();
    for job in mine {
        job.1.send(&job.0).unwrap();
    }
    for _ in 0..15 {
        let job = queue.get_timeout(LONG).unwrap();
        job.1.send(&job.0).unwrap();
    }
    assert!(queue.join_timeout(LONG).unwrap());
    let mut answered: Vec<u32> = answers.iter().map(Result::unwrap).collect();
    answered.sort_unstable();
    expected.sort_unstable();
    // The stream has ended: nobody, and no message, has a sender any more.
    assert_eq!(answered, expected);
}

/// Also who never waits.
#[test]
fn an_item_of_the_dead_comes_to_one_who_looks() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put(&"back".to_owned()).unwrap();
    let taken = mp::Event::new().unwrap();
    let child = mp::spawn(takes_and_sleeps, (queue.clone(), taken.clone())).unwrap();
    taken.wait();
    assert!(matches!(queue.try_get(), Err(mp::RecvError::TimedOut)));
    child.kill().unwrap();
    child.join().unwrap_err();
    assert_eq!(*queue.try_get().unwrap(), "back");
}

#[mp::process_target]
fn makes_work_of_work(queue: mp::JoinableQueue<u64>) {
    for item in &queue {
        let item = item.unwrap();
        // Before it is done itself: at every moment one of them is not.
        queue.put(&(*item + 1)).unwrap();
        item.task_done().unwrap();
    }
}

#[test]
fn all_is_never_done_while_work_makes_work() {
    let _watchdog = watchdog();
    let queue = mp::JoinableQueue::unbounded().unwrap();
    queue.put(&0).unwrap();
    let workers: Vec<_> = (0..2).map(|_| mp::spawn(makes_work_of_work, (queue.clone(),)).unwrap()).collect();
    let began = std::time::Instant::now();
    while began.elapsed() < super::support::soak() {
        for _ in 0..10_000 {
            assert_ne!(queue.unfinished(), 0);
        }
    }
    assert!(!queue.join_timeout(SHORT).unwrap());
    for worker in workers {
        worker.kill().unwrap();
        worker.join().unwrap_err();
    }
}
