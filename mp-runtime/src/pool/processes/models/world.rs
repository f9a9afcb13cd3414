//! What there is when it comes to sleeping and waking: a worker's words, the bell, the core.

/// The most threads that use the pool, and workers.
pub(super) const USERS: usize = 2;
pub(super) const WORKERS: usize = 2;
/// The pool's own thread, and one that looks in from outside.
pub(super) const OWN: usize = USERS;
pub(super) const OTHER: usize = USERS + 1;
pub(super) const THREADS: usize = USERS + 2;

/// Behind what a thread does under the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    Leave,
    LeaveForAMoment,
    /// `drive`, behind the first look, a pass, and the second look.
    Drive,
    Passed,
    Sleep,
    /// `leave`, behind the last look.
    Left,
    /// `look`; whether nobody else looks after the pool.
    Looked(bool),
    SleepInPoll,
    /// `cancel`
    Cancel,
}

/// What a thread is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Out,
    /// Without the lock.
    Submit,
    Drive,
    Parked,
    Wait,
    Asleep,
    Woke,
    Forget,
    Look,
    Poll(bool),
    Start(u8),
    Started(u8),
    RingMode,
    RingEnd(bool),
    Ring,
    OtherOne,
    Settle(u8),
    SettleTold(u8),
    /// With it.
    Top,
    Collect(u8, Then),
    Want(u8, Then),
    Publish(u8, Then),
    Wake(u8, Then),
    Mode(Then),
    Rung,
    Arm(u8, Then),
    DueNext(u8, Then),
    DueNews(u8, Then),
    Due(bool, Then),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Thread {
    pub(super) at: At,
    pub(super) calls: u8,
    pub(super) told: bool,
    pub(super) takes_over: bool,
    pub(super) sleeps_on: bool,
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Does {
    /// It is not there, or is no more.
    #[default]
    Nothing,
    Ready,
    Look,
    Begin,
    /// Whether it has nothing to do.
    Tell(bool),
    Swap(bool),
    Ring(bool),
    RingMode(bool),
    RingEnd(bool, bool),
    Answer,
    SayAsleep,
    LookAgain,
    Sleep,
    Asleep,
    Rise,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub(super) does: Does,
    pub(super) seen: (u8, u8),
    /// `STATE`: the next one, and the tail.
    pub(super) state: (u8, u8),
    pub(super) results: u8,
    pub(super) ready: bool,
    /// The number from which on the parent wants to be woken.
    pub(super) want: Option<u8>,
    pub(super) asleep: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    #[default]
    Empty,
    Starting,
    Taken,
}

/// What the parent knows of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Desk {
    pub(super) slot: Slot,
    pub(super) ready: bool,
    pub(super) answered: u8,
    pub(super) wanted: u8,
    /// Whose tasks it has, the oldest first.
    pub(super) tasks: Vec<u8>,
}

impl Desk {
    pub(super) fn tail(&self) -> u8 {
        self.answered + self.tasks.len() as u8
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lease {
    None,
    Given,
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) threads: [Thread; THREADS],
    pub(super) workers: [Worker; WORKERS],
    pub(super) kills: u8,
    /// The bell: whether it was rung since the driver asked, the mode, the eventfd.
    pub(super) rung: bool,
    pub(super) waiting: bool,
    pub(super) event: bool,
    /// The core, and who has its lock.
    pub(super) lock: Option<u8>,
    pub(super) driver: Option<u8>,
    pub(super) lease: Lease,
    pub(super) waiters: Vec<u8>,
    pub(super) looks_again: bool,
    /// Whose tasks no worker has.
    pub(super) pending: Vec<u8>,
    pub(super) desks: [Desk; WORKERS],
}

impl State {
    /// `Bell::ring`, by one who has the lock: nobody changes the mode meanwhile.
    pub(super) fn ring(&mut self) {
        self.rung = true;
        self.ring_end(self.waiting);
    }

    pub(super) fn ring_end(&mut self, waiting: bool) {
        if !waiting {
            self.event = true;
        } else if let Some(sleeper) = self.threads.iter_mut().find(|thread| thread.at == At::Asleep) {
            sleeper.at = At::Woke;
        }
    }

    /// That user's task is settled: `Watcher::tell`.
    pub(super) fn settle(&mut self, user: u8) {
        let thread = &mut self.threads[usize::from(user)];
        thread.told = true;
        if thread.sleeps_on {
            self.ring();
        }
    }

    /// The results of a worker.
    pub(super) fn collect(&mut self, index: usize) {
        let worker = self.workers[index];
        self.desks[index].ready = worker.ready;
        while self.desks[index].answered < worker.results && !self.desks[index].tasks.is_empty() {
            let user = self.desks[index].tasks.remove(0);
            self.desks[index].answered += 1;
            self.settle(user);
        }
    }

    /// `give_out`
    pub(super) fn give_out(&mut self, depth: usize) {
        while let Some(user) = self.pending.first().copied() {
            let takes = |desk: &&mut Desk| desk.slot == Slot::Taken && desk.ready && desk.tasks.len() < depth;
            let Some(desk) = self.desks.iter_mut().filter(takes).min_by_key(|desk| desk.tasks.len()) else { return };
            desk.tasks.push(user);
            self.pending.remove(0);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.desks.iter().all(|desk| desk.tasks.is_empty())
    }

    pub(super) fn is_left_alone(&self) -> bool {
        self.driver.is_none() && self.lease != Lease::Given
    }

    /// Whether that worker is there and its process is not.
    pub(super) fn has_died(&self, index: usize) -> bool {
        self.desks[index].slot == Slot::Taken && self.workers[index].does == Does::Nothing
    }
}
