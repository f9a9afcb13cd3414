//! A ball goes to and fro between two, by each of the ways to wake somebody.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use multiprocess as mp;
use serde::{Deserialize, Serialize};

use super::{Done, bare, said};

/// Two of something, one for each side.
pub(crate) type Pair<T> = [T; 2];

/// Whose it is: who begins is 0.
type Side = usize;

pub(crate) trait Ball {
    fn throw(&self, to: Side) -> Done;
    fn catch(&self, side: Side) -> Done;
}

/// One side of it.
pub(crate) fn play(ball: &impl Ball, side: Side, count: u32) -> Done {
    for _ in 0..count {
        if side == 0 {
            ball.throw(1)?;
            ball.catch(0)?;
        } else {
            ball.catch(1)?;
            ball.throw(0)?;
        }
    }
    Ok(())
}

impl Ball for Pair<bare::Futex> {
    fn throw(&self, to: Side) -> Done {
        self[to].signal();
        Ok(())
    }

    fn catch(&self, side: Side) -> Done {
        self[side].wait();
        Ok(())
    }
}

impl Ball for Pair<mp::Event> {
    fn throw(&self, to: Side) -> Done {
        self[to].set();
        Ok(())
    }

    fn catch(&self, side: Side) -> Done {
        self[side].wait();
        self[side].clear();
        Ok(())
    }
}

impl Ball for Pair<bare::Semaphore> {
    fn throw(&self, to: Side) -> Done {
        self[to].release()
    }

    fn catch(&self, side: Side) -> Done {
        self[side].acquire()
    }
}

impl Ball for Pair<mp::Semaphore> {
    fn throw(&self, to: Side) -> Done {
        self[to].release().map_err(said)
    }

    fn catch(&self, side: Side) -> Done {
        self[side].acquire().map_err(said)?.forget();
        Ok(())
    }
}

/// Whose turn it is.
type Turn = mp::RawValue<AtomicU32>;

fn turn_of(side: Side) -> u32 {
    side as u32
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OurCondition(pub(crate) mp::Condition, pub(crate) Turn);

impl Ball for OurCondition {
    fn throw(&self, to: Side) -> Done {
        let _guard = self.0.lock().map_err(said)?;
        self.1.store(turn_of(to), Relaxed);
        self.0.notify(1);
        Ok(())
    }

    fn catch(&self, side: Side) -> Done {
        let mut guard = self.0.lock().map_err(said)?;
        self.0.wait_for(&mut guard, || self.1.load(Relaxed) == turn_of(side)).map_err(said)
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct BareCondition(pub(crate) bare::Mutex, pub(crate) bare::Condition, pub(crate) Turn);

impl Ball for BareCondition {
    fn throw(&self, to: Side) -> Done {
        self.0.lock()?;
        self.2.store(turn_of(to), Relaxed);
        self.1.notify()?;
        self.0.unlock()
    }

    fn catch(&self, side: Side) -> Done {
        self.0.lock()?;
        while self.2.load(Relaxed) != turn_of(side) {
            self.1.wait(&self.0)?;
        }
        self.0.unlock()
    }
}
