//! Five philosophers, five forks, and one who is killed with a fork in each hand: the others are told, and eat on.
//!
//! `cargo run --example dining_philosophers`
//!
//! Each philosopher is a process, each fork a lock. Python's twin: five `Lock()`, and processes that wait for ever, as
//! nobody gives the forks of the dead one back.

use std::{
    error::Error,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

use mp::{JoinError, LockError, LockGuard, Process};
use multiprocess as mp;
use serde::{Deserialize, Serialize};

const NAMES: [&str; 6] = ["nobody", "Thales", "Sappho", "Plato", "Hypatia", "Zeno"];
const PLATO: usize = 3;
const MEALS: u32 = 50;

/// What all of them see: a value like any other, that can be sent.
#[derive(Clone, Serialize, Deserialize)]
struct Table {
    forks: Vec<mp::Lock>,
    /// What the locks protect: who has used each fork, and not washed it yet.
    used_by: mp::RawArray<AtomicU32>,
    toast: mp::Barrier,
}

impl Table {
    /// Takes a fork. If its holder has died, whoever takes it next puts things in order, and says so.
    fn take(&self, fork: usize, who: usize) -> mp::Result<LockGuard<'_>> {
        let guard = match self.forks[fork].lock() {
            Err(LockError::OwnerDied(guard)) => {
                let dead = NAMES[self.used_by[fork].swap(0, Relaxed) as usize];
                println!("{} washes fork {fork}, that {dead} held in death", NAMES[who]);
                guard.mark_consistent();
                guard
            }
            taken => taken?,
        };
        assert_eq!(self.used_by[fork].swap(who as u32, Relaxed), 0, "a fork in two hands");
        Ok(guard)
    }
}

#[mp::process_target]
fn dine(who: usize, table: Table) -> mp::Result<u32> {
    // All take the lower fork first: so they never wait for each other in a ring.
    let [first, second] = if who == 5 { [0, 4] } else { [who - 1, who] };
    if who != PLATO {
        table.toast.wait()?;
    }
    for _ in 0..MEALS {
        let _forks = [table.take(first, who)?, table.take(second, who)?];
        if who == PLATO {
            table.toast.wait()?;
            thread::sleep(Duration::MAX); // lost in thought, a fork in each hand
        }
        thread::sleep(Duration::from_micros(500));
        [first, second].iter().for_each(|fork| table.used_by[*fork].store(0, Relaxed));
    }
    Ok(MEALS)
}

fn main() -> Result<(), Box<dyn Error>> {
    let forks = (0..5).map(|_| mp::Lock::new()).collect::<mp::Result<_>>()?;
    let toast = mp::Barrier::with_timeout(6, Duration::from_secs(30))?; // this process drinks too
    let table = Table { forks, used_by: mp::RawArray::new(5)?, toast };
    let sit_down = |who| Process::new(dine, (who, table.clone())).name(NAMES[who]).daemon(true).start();
    let philosophers = (1..=5).map(sit_down).collect::<mp::Result<Vec<_>>>()?;

    table.toast.wait()?;
    println!("after the toast, forks 2 and 3 are {:?} and {:?}", table.forks[2], table.forks[3]);
    philosophers[PLATO - 1].kill()?;
    for philosopher in &philosophers {
        match philosopher.join() {
            Ok(meals) => println!("{} has had {} meals", philosopher.name(), meals?),
            Err(JoinError::Killed(_)) => println!("{} died before the first", philosopher.name()),
            Err(other) => return Err(other.into()),
        }
    }
    let clean = table.forks.iter().all(|fork| fork.try_lock().is_ok());
    if clean { Ok(()) } else { Err("a fork is still in a dead hand".into()) }
}
