//! What there is in the model of the waiting: the shared memory of a queue, the kernel, and the processes.

use crate::models::kernel::{Life, Lock, MOST, Sleepers};

/// The sides: an index into what each of them has.
pub(super) const PUTS: usize = 0;
pub(super) const GETS: usize = 1;

/// The most items that are put.
pub(super) const ITEMS: usize = 4;

/// What `hammer` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Hammer {
    #[default]
    Raised,
    Fallen,
    /// Somebody was about to tell, or to take tokens away.
    Moving,
}

/// What the lock of the own side is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    First,
    /// While it waits for its turn.
    Look,
    InTurn,
    /// The other side is gone.
    Last,
    /// A watcher found the descriptor ready.
    Watch,
    /// A watcher found the other side gone.
    WatchLast,
}

/// What the lock of the other side is wanted for: to raise the hammer, and then?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Raise {
    Sleep,
    /// It is there already.
    Again,
    Watch,
    /// After an attempt, which came to something or not.
    Mind(Why, bool),
}

/// What a lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    Own(Why),
    Other(Raise),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum At {
    #[default]
    Begin,
    Lock(Goal),
    /// `repair`: the lock of the putting side, of the getting side, what is derived, the marks.
    MendPuts(Goal),
    MendGets(Goal),
    Mark(Goal),
    MarkGets(Goal),
    /// An attempt, with the lock.
    Look(Why),
    Write(Why),
    Hammer(Why),
    Move(Why),
    Tell(Why),
    Fall(Why),
    Commit(Why),
    Ask(Why),
    SayAwake(Why),
    Wake(Why),
    Unlock(Why, bool),
    /// `mind_watchers`.
    Mind(Why, bool),
    MindPut(Why, bool),
    MindGot(Why, bool),
    MindHammer(Why, bool),
    /// `Bell::sleep`.
    Turn,
    SayAsleep,
    SeePut,
    SeeGot,
    Sleep,
    Asleep,
    Rise,
    /// Asks whether the other side is gone.
    Over(Why),
    /// `sleep_long`, `set_right`.
    LookOther(Raise),
    MoveOther(Raise),
    Raise(Raise),
    Drain(Raise),
    UnlockOther(Raise),
    Poll,
    GiveTurn(bool),
    /// The end of a side's handle.
    Close,
    CloseAsk,
    CloseAwake,
    CloseWake,
    Out,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) locks: [Lock; 2],
    /// Of those who wait on that side.
    pub(super) turns: [Lock; 2],
    pub(super) places: [u8; 2],
    /// The other side's place, as that side last saw it.
    pub(super) seen: [u8; 2],
    /// Whether `awake` says so, for those who wait for that side's changes.
    pub(super) awake: [bool; 2],
    pub(super) hammers: [Hammer; 2],
    pub(super) watched: bool,
    /// Whose each item is, and which of his.
    pub(super) items: [u8; ITEMS],
    pub(super) sleepers: [Sleepers; 2],
    /// Whether a token lies there that tells of that side's changes.
    pub(super) tokens: [bool; 2],
    pub(super) kills: u8,
    pub(super) lives: [Life; MOST],
    /// Whether `awake` is in `list_op_pending`.
    pub(super) pending: [bool; MOST],
    pub(super) closed: [bool; MOST],
    pub(super) at: [At; MOST],
    /// What it has put.
    pub(super) calls: [u8; MOST],
    /// A place as it was loaded.
    pub(super) loaded: [u8; MOST],
    /// Not in the code: the number of the item that a process has taken out, from one.
    pub(super) hands: [u8; MOST],
    /// Not in the code: how often each item was returned.
    pub(super) got: [u8; ITEMS],
    pub(super) wrong: Option<&'static str>,
}

pub(super) const LOST: &str = "an item is lost";
pub(super) const TWICE: &str = "an item is got twice";
pub(super) const ORDER: &str = "a putter's items are not in order";
pub(super) const LEFT: &str = "the queue is over for somebody, and an item is left in it";

impl State {
    /// The next step of a process that was killed.
    pub(super) fn die(&mut self, process: usize, side: usize) -> Option<&'static str> {
        let what = match self.lives[process] {
            Life::Alive | Life::Dead => return None,
            Life::Killed => {
                self.lives[process] = Life::Exiting;
                self.sleepers[1 - side].leave(process);
                "is dying: sleeps no longer"
            }
            Life::Exiting => {
                self.lives[process] = if self.pending[process] { Life::Waking } else { Life::Open };
                self.locks.iter_mut().chain(&mut self.turns).for_each(|lock| lock.die(process));
                "is dying: its locks are marked"
            }
            Life::Waking => {
                self.lives[process] = Life::Open;
                self.sleepers[side].wake(1);
                "is dying: one who sleeps is woken"
            }
            Life::Open => {
                self.lives[process] = Life::Dead;
                self.closed[process] = true;
                self.pending[process] = false;
                "is dead: its files are closed"
            }
        };
        Some(what)
    }

    /// Whether each item that was put is where it should be.
    pub(super) fn item_wrong(&self, putters: usize) -> Option<&'static str> {
        let [put, got] = self.places.map(usize::from);
        let mut counts = [0; MOST];
        for item in &self.items[..put] {
            let (whose, which) = (usize::from(item / 8), item % 8);
            if counts[whose] != which {
                return Some(ORDER);
            }
            counts[whose] += 1;
        }
        if (0..putters).any(|process| counts[process] < self.calls[process]) {
            return Some(LOST);
        }
        for number in 0..ITEMS {
            let is_in_hand = self.hands.contains(&(number as u8 + 1));
            match self.got[number] {
                0 if number < got && !is_in_hand => return Some(LOST),
                0 => {}
                1 if number < got => {}
                _ => return Some(TWICE),
            }
        }
        None
    }
}
