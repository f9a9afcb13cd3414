//! The kernel's part, and what the models have in common.

/// The most processes of a model.
pub(crate) const MOST: usize = 4;

/// In a lock's word, as in the real one but narrower: the number of its holder (from one), and the two bits.
pub(crate) const OWNER: u8 = 0x3f;
pub(crate) const OWNER_DIED: u8 = 0x40;
pub(crate) const WAITERS: u8 = 0x80;

/// The number of that process in a word.
pub(crate) fn tid(process: usize) -> u8 {
    process as u8 + 1
}

/// Who sleeps on a word, longest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sleepers {
    order: [u8; MOST],
    count: u8,
}

impl Sleepers {
    pub(crate) fn count(self) -> u8 {
        self.count
    }

    pub(crate) fn has(self, process: usize) -> bool {
        self.order[..usize::from(self.count)].contains(&tid(process))
    }

    /// It begins to sleep. Who calls this has compared the word in the same step.
    pub(crate) fn sleep(&mut self, process: usize) {
        self.order[usize::from(self.count)] = tid(process);
        self.count += 1;
    }

    /// Wakes so many, those who have slept longest. It does not know which of them are being killed.
    pub(crate) fn wake(&mut self, most: usize) {
        for _ in 0..most.min(self.count.into()) {
            self.order.rotate_left(1);
            self.order[MOST - 1] = 0;
            self.count -= 1;
        }
    }

    /// It sleeps no longer, for another reason: a signal, its time, its death.
    pub(crate) fn leave(&mut self, process: usize) {
        if let Some(place) = self.order[..usize::from(self.count)].iter().position(|other| *other == tid(process)) {
            self.order[place..].rotate_left(1);
            self.order[MOST - 1] = 0;
            self.count -= 1;
        }
    }
}

/// What is left of a process. From `Killed` on it does nothing by itself any more, and each step is the kernel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    #[default]
    Alive,
    /// Still among the sleepers, if it was.
    Killed,
    /// `exit_robust_list` is at its locks.
    Exiting,
    /// `futex_wake` is due.
    Waking,
    /// Its locks are done with, its files are still open: others take it for alive.
    Open,
    Dead,
}

/// A lock's word with all that the kernel knows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RobustWord {
    pub(crate) word: u8,
    pub(crate) sleepers: Sleepers,
    pub(crate) lives: [Life; MOST],
    /// Whether the lock is in that process's list.
    pub(crate) listed: [bool; MOST],
    /// Whether it is that process's `list_op_pending`.
    pub(crate) pending: [bool; MOST],
}

impl RobustWord {
    /// `futex(FUTEX_WAIT)`. Returns whether it sleeps now.
    pub(crate) fn wait(&mut self, process: usize, expected: u8) -> bool {
        if self.word == expected {
            self.sleepers.sleep(process);
        }
        self.word == expected
    }

    /// Compares and exchanges; returns the word that was there.
    pub(crate) fn exchange(&mut self, expected: u8, new: u8) -> Result<u8, u8> {
        if self.word != expected {
            return Err(self.word);
        }
        self.word = new;
        Ok(expected)
    }

    /// The next step of what happens to a process that was killed: `handle_futex_death` of Linux's `kernel/futex/core.c`. Returns what it is.
    pub(crate) fn die(&mut self, process: usize) -> Option<&'static str> {
        let pending = self.pending[process];
        let (life, what) = match self.lives[process] {
            Life::Alive | Life::Open | Life::Dead => return None,
            Life::Killed => {
                self.sleepers.leave(process);
                (Life::Exiting, "is dying: sleeps no longer")
            }
            Life::Exiting if !pending && !self.listed[process] => (Life::Dead, "is dead: no lock of its"),
            Life::Exiting if pending && self.word & OWNER == 0 => (Life::Waking, "is dying: was at the lock, nobody's"),
            Life::Exiting if self.word & OWNER != tid(process) => (Life::Dead, "is dead: the lock is another's"),
            Life::Exiting => {
                let waiters = self.word & WAITERS;
                self.word = waiters | OWNER_DIED;
                (if waiters == 0 { Life::Dead } else { Life::Waking }, "is dying: the lock is marked")
            }
            Life::Waking => {
                self.sleepers.wake(1);
                (Life::Dead, "is dead: one is woken")
            }
        };
        self.lives[process] = life;
        Some(what)
    }
}

/// A robust mutex as those see it who only use it: `sync/models/mutex.rs` shows that it is so. Who wants it when it is taken waits, and gets it
/// some time after it is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Lock {
    holder: u8,
    died: bool,
}

impl Lock {
    /// Takes it if it is free; says whether somebody has died in it.
    pub(crate) fn take(&mut self, process: usize) -> Option<bool> {
        (self.holder == 0).then(|| {
            self.holder = tid(process);
            self.died
        })
    }

    pub(crate) fn release(&mut self) {
        self.holder = 0;
    }

    pub(crate) fn mark_consistent(&mut self) {
        self.died = false;
    }

    pub(crate) fn is_free(self) -> bool {
        self.holder == 0
    }

    /// Whether somebody has died in it.
    pub(crate) fn is_orphaned(self) -> bool {
        self.died
    }

    pub(crate) fn die(&mut self, process: usize) {
        if self.holder == tid(process) {
            *self = Self { holder: 0, died: true };
        }
    }
}

/// The next step of a process that was killed and used those locks, and slept there.
pub(crate) fn die(
    life: &mut Life,
    process: usize,
    locks: &mut [&mut Lock],
    sleepers: &mut Sleepers,
) -> Option<&'static str> {
    let what = match *life {
        Life::Alive | Life::Dead => return None,
        Life::Killed => {
            *life = Life::Exiting;
            sleepers.leave(process);
            "is dying: sleeps no longer"
        }
        Life::Exiting | Life::Waking => {
            *life = Life::Open;
            locks.iter_mut().for_each(|lock| lock.die(process));
            "is dying: its locks are marked"
        }
        Life::Open => {
            *life = Life::Dead;
            "is dead: its files are closed"
        }
    };
    Some(what)
}
