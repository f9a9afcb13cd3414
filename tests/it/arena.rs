//! Things in shared memory: many, on their way, in hands that die.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use multiprocess as mp;

use super::support::{Dice, Owned, eventually, kill_at_random, owned, watchdog, watchdog_of_soak};

#[mp::process_target]
fn takes_all(locks: Vec<mp::Lock>, values: Vec<mp::Value<u64>>) -> (usize, usize) {
    let fds = owned().fds.len();
    assert!(locks.iter().all(|lock| lock.lock().is_ok()));
    for (number, value) in (0..).zip(&values) {
        assert_eq!(value.get(), number);
        value.set(number + 1).unwrap();
    }
    (locks.len(), fds)
}

#[mp::process_target]
fn makes_very_many() -> (usize, usize, Owned, Owned) {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, 256, 256).unwrap();
    drop(mp::spawn(makes_a_lock, ()).unwrap().join().unwrap()); // makes what a parent keeps
    drop(mp::Lock::new().unwrap());
    let before = owned();
    let locks: Vec<_> = (0..10_000).map(|_| mp::Lock::new().unwrap()).collect();
    let values: Vec<_> = (0..100_000).map(|number| mp::Value::new(number).unwrap()).collect();
    assert_eq!(owned().fds, before.fds, "all in one");
    let child = mp::spawn(takes_all, (locks.clone(), values.clone())).unwrap();
    let (count, fds) = child.join().unwrap();
    assert!((1..).zip(&values).all(|(number, value)| value.get() == number));
    drop((locks, values));
    drop(child);
    assert_eq!(mp::__private::shared_census().unwrap(), (0, 0, 1));
    let mut after = owned();
    // It has grown in between.
    after.memfds = before.memfds;
    (count, fds, before, after)
}

#[test]
fn ten_thousand_locks_and_a_hundred_thousand_values_with_few_descriptors() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (count, fds, before, after) = mp::spawn(makes_very_many, ())?.join()?;
    assert_eq!(count, 10_000);
    assert!(fds < 32, "{fds}");
    assert_eq!(before, after);
    Ok(())
}

/// What is written into a block, to be found there again.
type Marked = mp::Value<[u64; 5]>;

/// Makes things, sends some away, takes others, gives them up, and looks that nobody else has written to them.
#[mp::process_target]
fn plays(seed: u64, from: mp::Receiver<Marked>, to: mp::Sender<Marked>, wrong: mp::RawValue<AtomicU32>, rounds: u64) {
    let (mut dice, mut mine) = (Dice::of(seed), Vec::<Marked>::new());
    for round in 0..rounds {
        let chance = dice.roll();
        match chance % 5 {
            0 | 1 => mine.push(mp::Value::new([seed << 32 | round; 5]).unwrap()),
            2 if !mine.is_empty() => {
                let index = (chance >> 8) as usize % mine.len();
                drop(mine.swap_remove(index));
            }
            3 if !mine.is_empty() => {
                let index = (chance >> 8) as usize % mine.len();
                drop(to.try_send(&mine[index]));
            }
            _ => mine.extend(from.try_recv().ok()),
        }
        for value in &mine {
            let now = value.get();
            if now.iter().any(|number| *number != now[0]) || now[0] == 0 {
                wrong.fetch_add(1, SeqCst);
            }
        }
        if mine.len() > 40 {
            mine.clear();
        }
    }
}

#[mp::process_target]
fn four_play_and_die() -> (u32, (usize, usize, u32)) {
    let (to, from) = mp::channel::<Marked>().unwrap();
    let wrong = mp::RawValue::<AtomicU32>::new(0).unwrap();
    let ours: Vec<_> = (1..50).map(|number| mp::Value::new([number; 5]).unwrap()).collect();
    let seeds = std::cell::Cell::new(0);
    let start = |_| {
        seeds.set(seeds.get() + 1);
        mp::spawn(plays, (seeds.get(), from.clone(), to.clone(), wrong.clone(), u64::MAX)).unwrap()
    };
    let mut dice = Dice::of(1000);
    let (children, _) = kill_at_random(4, start, |_| {
        // Into hands that die, and a queue that nobody may read.
        for _ in 0..5 {
            drop(to.try_send(&ours[dice.roll() as usize % ours.len()]));
        }
    });
    for child in children {
        child.kill().unwrap();
        child.join().unwrap_err();
    }
    assert!((1..50).zip(&ours).all(|(number, value)| value.get() == [number; 5]));
    drop((from, to, ours));
    let found = wrong.load(SeqCst);
    drop(wrong);
    (found, mp::__private::shared_census().unwrap())
}

#[test]
fn random_kills_around_the_allocator() -> mp::Result<()> {
    let _watchdog = watchdog_of_soak();
    let (wrong, census) = mp::spawn(four_play_and_die, ())?.join()?;
    assert_eq!(wrong, 0, "two have had the same memory");
    assert_eq!(census, (0, 0, 1), "blocks, records and holders that are left");
    Ok(())
}

#[mp::process_target]
fn five_thousand_allocations() -> (u32, (usize, usize, u32)) {
    let wrong = mp::RawValue::<AtomicU32>::new(0).unwrap();
    let (to, from) = mp::channel::<Marked>().unwrap();
    let start = |seed| mp::spawn(plays, (seed, from.clone(), to.clone(), wrong.clone(), 5_000)).unwrap();
    let children: Vec<_> = (1..=4).map(start).collect();
    children.iter().for_each(|child| child.join().unwrap());
    drop((from, to));
    let found = wrong.load(SeqCst);
    drop(wrong);
    (found, mp::__private::shared_census().unwrap())
}

#[test]
fn allocations_of_four_processes_do_not_overlap_and_are_freed() -> mp::Result<()> {
    let _watchdog = watchdog();
    assert_eq!(mp::spawn(five_thousand_allocations, ())?.join()?, (0, (0, 0, 1)));
    Ok(())
}

#[mp::process_target]
fn makes_a_lock() -> mp::Lock {
    mp::Lock::new().unwrap()
}

#[mp::process_target]
fn receives_from_many() -> (Owned, Owned) {
    drop(mp::spawn(makes_a_lock, ()).unwrap().join().unwrap());
    let before = owned();
    for _ in 0..20 {
        let lock = mp::spawn(makes_a_lock, ()).unwrap().join().unwrap();
        // Its maker is gone; the lock is not.
        assert!(lock.lock().is_ok());
    }
    (before, owned())
}

#[test]
fn memory_of_others_is_given_up_with_the_last_thing_in_it() -> mp::Result<()> {
    let _watchdog = watchdog();
    let (before, after) = mp::spawn(receives_from_many, ())?.join()?;
    assert_eq!(before, after);
    Ok(())
}

#[mp::process_target]
fn holds(lock: mp::Lock, ready: mp::Event) {
    let guard = lock.lock().unwrap();
    ready.set();
    super::support::wait_for_ever();
    drop(guard);
}

/// Sent as one thing, and read as another.
enum Liar<S, R> {
    Sent(S),
    Received(R),
}

impl<S: serde::Serialize, R> serde::Serialize for Liar<S, R> {
    fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        match self {
            Self::Sent(sent) => sent.serialize(serializer),
            Self::Received(_) => Err(serde::ser::Error::custom("not again")),
        }
    }
}

impl<'de, S, R: serde::Deserialize<'de>> serde::Deserialize<'de> for Liar<S, R> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::deserialize(deserializer).map(Self::Received)
    }
}

fn reads_as<S, R>(sent: S) -> String
where
    S: serde::Serialize,
    R: for<'de> serde::Deserialize<'de>,
{
    let (sender, receiver) = mp::channel::<Liar<S, R>>().unwrap();
    sender.send(&Liar::Sent(sent)).unwrap();
    match receiver.recv() {
        Err(mp::RecvError::Undecodable(error)) => error.to_string(),
        _ => panic!("it was taken for something else"),
    }
}

#[test]
fn a_thing_of_another_kind_or_size_is_refused() -> mp::Result<()> {
    let error = reads_as::<_, mp::Lock>(mp::Event::new()?);
    assert!(error.contains("none of a lock"), "{error}");
    reads_as::<_, mp::Array<u8>>(mp::Value::new(0_u64)?);
    reads_as::<_, mp::Value<[u64; 100]>>(mp::Value::new(0_u64)?);
    reads_as::<_, mp::Value<u64>>(mp::Value::new([0_u64; 100])?);
    reads_as::<_, mp::Array<[u8; 3]>>(mp::Array::<u8>::new(7)?);
    reads_as::<_, mp::RawValue<AtomicU32>>(mp::RawArray::<AtomicU32>::new(2)?);
    reads_as::<_, mp::RawArray<AtomicU32>>(mp::RawArray::<std::sync::atomic::AtomicU8>::new(6)?);
    reads_as::<_, mp::Lock>(mp::Handle::new(std::fs::File::open("/dev/zero").unwrap()));
    Ok(())
}

#[test]
fn a_handle_is_an_error_in_other_formats() -> mp::Result<()> {
    let error = serde_json::to_string(&mp::Lock::new()?).unwrap_err();
    assert!(error.to_string().contains("travels only in messages"), "{error}");
    serde_json::from_str::<mp::Lock>("null").unwrap_err();
    Ok(())
}

#[test]
fn a_forgotten_guard_does_no_harm() -> mp::Result<()> {
    #[mp::process_target]
    fn forgets() {
        for _ in 0..200 {
            let lock = mp::Lock::new().unwrap();
            std::mem::forget(lock.lock().unwrap());
            drop(lock);
            // Not in the forgotten one's place.
            let other = mp::Lock::new().unwrap();
            drop(other.lock().unwrap());
        }
        let lock = mp::spawn(makes_a_lock, ()).unwrap().join().unwrap();
        std::mem::forget(lock.lock().unwrap());
        drop(lock);
        let another = mp::Lock::new().unwrap();
        drop(another.lock().unwrap());
    }

    let _watchdog = watchdog();
    mp::spawn(forgets, ())?.join()?;
    let (lock, ready) = (mp::Lock::new()?, mp::Event::new()?);
    let child = mp::spawn(holds, (lock.clone(), ready.clone()))?;
    ready.wait();
    assert_eq!(lock.holder(), Some(child.pid()));
    child.kill().unwrap();
    assert!(matches!(lock.lock(), Err(mp::LockError::OwnerDied(_))));
    child.join().unwrap_err();
    eventually("nobody to hold it", || lock.holder().is_none());
    Ok(())
}
