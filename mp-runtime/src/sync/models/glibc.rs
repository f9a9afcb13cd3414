//! glibc's robust mutex (`__pthread_mutex_lock_full`, robust case, in `nptl/pthread_mutex_lock.c`), to see why ours is another one.
//!
//! There the bit `FUTEX_WAITERS` is the only sign that somebody sleeps. Who sleeps sets it; `unlock` clears it with all else, and wakes one; the one
//! who was woken sets it again when it takes the lock. So between `unlock` and then it is in nobody's word, and a newcomer may take the lock without it. That
//! does no harm as long as the woken one lives, for it finds the lock taken and sets the bit. If it is killed the kernel has
//! nothing to wake others for, because the lock is another's; and the newcomer, when it unlocks, knows of nobody.

use crate::models::{
    kernel::{Life, MOST, OWNER, OWNER_DIED, RobustWord, WAITERS, tid},
    search::{Model, STUCK, Steps, fails, holds},
};

struct Glibc {
    rounds: &'static [u8],
    kills: u8,
    /// Kills only who sleeps, or was just woken.
    waiters_only: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum At {
    #[default]
    Begin,
    Load,
    Take,
    SetWaiters,
    Wait,
    Asleep,
    Enter,
    Inside,
    Leave,
    Swap,
    Wake,
    End,
    Out,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    lock: RobustWord,
    kills: u8,
    at: [At; MOST],
    /// `oldval`.
    seen: [u8; MOST],
    /// `assume_other_futex_waiters`.
    assume: [u8; MOST],
    rounds: [u8; MOST],
}

/// What comes after the word was seen so.
fn after(word: u8) -> At {
    match word {
        0 => At::Take,
        word if word & OWNER_DIED != 0 => At::Take,
        word if word & WAITERS == 0 => At::SetWaiters,
        _ => At::Wait,
    }
}

impl Glibc {
    fn go_on(&self, state: &State, process: usize, steps: &mut Steps<State>) {
        let mut then = state.clone();
        let (seen, lock) = (state.seen[process], &mut then.lock);
        let (at, what) = match state.at[process] {
            At::Begin => {
                lock.pending[process] = true;
                then.assume[process] = 0;
                (At::Load, "begins to lock")
            }
            At::Load => {
                then.seen[process] = lock.word;
                (after(lock.word), "looks at the word")
            }
            At::Take => match lock.exchange(seen, tid(process) | seen & WAITERS | state.assume[process]) {
                Ok(_) => (At::Enter, "takes the word"),
                Err(word) => {
                    then.seen[process] = word;
                    (after(word), "finds it taken")
                }
            },
            At::SetWaiters => match lock.exchange(seen, seen | WAITERS) {
                Ok(_) => {
                    then.seen[process] = seen | WAITERS;
                    (At::Wait, "sets the bit")
                }
                Err(word) => {
                    then.seen[process] = word;
                    (after(word), "finds another word")
                }
            },
            At::Wait => {
                then.assume[process] = WAITERS;
                if lock.wait(process, seen) { (At::Asleep, "falls asleep") } else { (At::Load, "does not sleep") }
            }
            At::Asleep if lock.sleepers.has(process) => return,
            At::Asleep => (At::Load, "wakes up"),
            At::Enter => {
                lock.listed[process] = true;
                lock.pending[process] = false;
                (At::Inside, "has it")
            }
            At::Inside => {
                lock.pending[process] = true;
                (At::Leave, "begins to unlock")
            }
            At::Leave => {
                lock.listed[process] = false;
                (At::Swap, "takes it out of its list")
            }
            At::Swap => {
                let waiters = lock.word & WAITERS != 0;
                lock.word = 0;
                (if waiters { At::Wake } else { At::End }, "gives the word back")
            }
            At::Wake => {
                lock.sleepers.wake(1);
                (At::End, "wakes one")
            }
            At::End => {
                lock.pending[process] = false;
                then.rounds[process] += 1;
                let more = then.rounds[process] < self.rounds[process];
                (if more { At::Begin } else { At::Out }, "has unlocked it")
            }
            At::Out => return,
        };
        then.at[process] = at;
        steps.will(process, what, then);
    }
}

impl Model for Glibc {
    type State = State;

    fn start(&self) -> State {
        State { kills: self.kills, ..State::default() }
    }

    fn steps(&self, state: &State, steps: &mut Steps<State>) {
        for process in 0..self.rounds.len() {
            let mut then = state.clone();
            if let Some(what) = then.lock.die(process) {
                steps.will(process, what, then);
            } else if state.lock.lives[process] == Life::Alive {
                self.go_on(state, process, steps);
                let waits = matches!(state.at[process], At::Asleep | At::Load);
                if state.kills > 0 && state.at[process] != At::Out && (waits || !self.waiters_only) {
                    then.lock.lives[process] = Life::Killed;
                    then.kills -= 1;
                    steps.may(process, "is killed", then);
                }
            }
        }
    }

    fn wrong(&self, state: &State) -> Option<&'static str> {
        let owner = |process: &usize| state.at[*process] == At::Inside && state.lock.lives[*process] == Life::Alive;
        let wrong = (0..self.rounds.len()).filter(owner).any(|process| state.lock.word & OWNER != tid(process));
        wrong.then_some("two have the lock")
    }

    fn is_settled(&self, state: &State) -> bool {
        (0..self.rounds.len()).all(|process| match state.lock.lives[process] {
            Life::Alive => state.at[process] == At::Out,
            life => life == Life::Dead,
        })
    }
}

const RIGHT: Glibc = Glibc { rounds: &[2, 1, 1], kills: 0, waiters_only: false };

#[test]
fn no_wake_up_is_lost_while_nobody_dies() {
    holds("glibc's mutex, 3 processes, no kill", &RIGHT);
    holds("glibc's mutex, 2 processes, 1 kill", &Glibc { rounds: &[2, 2], kills: 1, ..RIGHT });
}

#[test]
fn a_wake_up_is_lost_if_who_was_woken_dies() {
    let trace =
        fails("glibc's mutex, the woken one is killed", &Glibc { kills: 1, waiters_only: true, ..RIGHT }, STUCK);
    println!("{trace:?}");
}

#[test]
fn a_wake_up_is_lost_if_who_was_to_wake_dies() {
    let trace = fails("glibc's mutex, the waking one is killed", &Glibc { kills: 1, ..RIGHT }, STUCK);
    println!("{trace:?}");
}
